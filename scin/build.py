"""Dataset → index: photos are embedded in shards, which a later run goes on from, and the shards assembled."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ml.models.encoder import Encoder
from scin.building.assemble import assemble
from scin.building.local import Engine, LocalEngine
from scin.building.shards import SHARD_PHOTOS, BuildError, Recipe, Shard, ShardFolder, plan_shards
from scin.building.stages import Stages
from scin.dataset import read_dataset
from scin.manifest import MANIFEST_FILE, Manifest
from scin.population import measure_population, write_population
from scin.records import Case
from storage import Storage

__all__ = ["BuildError", "build", "check_replaceable", "shard_folder"]

_WORK = "index"

Progress = Callable[[int, int], None]


def build(
    store: Storage,
    out: Path,
    encoder: Encoder,
    *,
    name: str,
    limit: int | None = None,
    progress: Progress | None = None,
    kind: str = "auto",
    shards: Path | None = None,
    resume: bool = False,
    shard_photos: int = SHARD_PHOTOS,
    engine: Engine | None = None,
    stages: Stages | None = None,
) -> Manifest:
    """Index the labelled cases of a dataset in SCIN's layout (the first ``limit`` of them).

    The folder ``out`` appears, or is replaced, as a whole. ``kind`` is auto, flat, hnsw or ivf. ``progress`` hears
    (photos done, photos in all).

    ``shards`` is where embedded photos are kept for a later run, on the file system of ``out`` (None: nowhere). With
    ``resume`` those of an earlier run on the same source with the same encoder are used: whatever the moment at which
    that run was killed, the result is the same bytes as an uninterrupted one's. Without it, it starts anew. ``engine``
    embeds the photos (None: this process).

    Raises BuildError if nothing can be indexed, ``out`` holds something else, another build is at work, the shards are
    of another source or encoder, or the store stops answering; StorageError if the CSV files cannot be read.
    """
    check_replaceable(out, MANIFEST_FILE)
    dataset = read_dataset(store)
    labelled = [case for case in dataset.cases if case.label.weights]
    cases = labelled[:limit]
    stages = stages or Stages()
    out.parent.mkdir(parents=True, exist_ok=True)
    with _folder(shards, out) as folder:
        recipe = Recipe(store.uri.rstrip("/"), encoder.fingerprint, encoder.dimension, shard_photos)
        done = ShardFolder(folder, recipe)
        with done.locked():
            done.prepare(resume=resume)
            paths = _paths(cases)
            plan = plan_shards(paths, shard_photos, _untoned(labelled))
            _embed(plan, done, engine or LocalEngine(store, encoder), stages, progress or (lambda done, total: None))
            work = folder / _WORK
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            with stages.timed("measure", photos=0):
                write_population(work, measure_population(store, paths))
            with stages.timed("index", photos=0):
                manifest = assemble(
                    work, done, plan, name=name, dataset=dataset, cases=cases, encoder=encoder, kind=kind
                )
            _replace(out, work, aside=folder / "replaced")
    return manifest


def check_replaceable(folder: Path, sign: str) -> None:
    """Raises BuildError if ``folder`` holds anything but what a build left there, which the file ``sign`` tells."""
    if folder.is_dir() and (not any(folder.iterdir()) or (folder / sign).is_file()):
        return
    if folder.exists():
        raise BuildError(f"{folder} exists and was not made by this command: remove it or name another folder.")


def shard_folder(out: Path) -> Path:
    """Where the command keeps the shards of the index ``out``."""
    return out.with_name(f"{out.name}.shards")


@contextmanager
def _folder(shards: Path | None, out: Path) -> Iterator[Path]:
    if shards is not None:
        yield shards
        return
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        yield Path(temporary)


def _paths(cases: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(image.path for case in cases for image in case.images))


def _untoned(cases: Sequence[Case]) -> frozenset[str]:
    """The photos that are no case's first, whose tone is not kept."""
    return frozenset(_paths(cases)) - {case.images[0].path for case in cases if case.images}


def _embed(plan: Sequence[Shard], done: ShardFolder, engine: Engine, stages: Stages, progress: Progress) -> None:
    """Make the shards that are not there yet."""
    pending = [shard for shard in plan if not done.holds(shard)]
    total = sum(len(shard.paths) for shard in plan)
    finished = total - sum(len(shard.paths) for shard in pending)
    if finished:
        progress(finished, total)

    def tell(photos: int) -> None:
        nonlocal finished
        finished += photos
        progress(finished, total)

    for shard, rows in engine.embed(pending, _digests(plan, pending, done), stages, tell):
        with stages.timed("write", len(rows)):
            done.write(shard, rows)


def _digests(plan: Sequence[Shard], pending: Sequence[Shard], done: ShardFolder) -> dict[str, int]:
    """Digest → the first finished shard that has its vector."""
    missing = {shard.number for shard in pending}
    first: dict[str, int] = {}
    for shard in plan:
        if shard.number not in missing:
            for digest in done.digests(shard):
                first.setdefault(digest, shard.number)
    return first


def _replace(out: Path, work: Path, aside: Path) -> None:
    """Put ``work`` in the place of ``out``. Who has the old files open goes on reading them."""
    shutil.rmtree(aside, ignore_errors=True)
    if out.exists():
        out.rename(aside)
    work.rename(out)
    shutil.rmtree(aside, ignore_errors=True)

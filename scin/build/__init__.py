"""Builds an index from a dataset. Photos are embedded into shards on disk; then the index is assembled from the shards.
A later run can reuse the shards."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from ml.models.encoder import Encoder
from ml.values import Vector
from scin.build.embed import Engine, LocalEngine
from scin.build.own_encoder import read_own_encoder
from scin.build.photos import Row
from scin.build.progress import Stages
from scin.build.shards import SHARD_PHOTOS, BuildError, Recipe, Shard, ShardFolder, plan_shards
from scin.dataset import Case, Dataset, read_dataset
from scin.index.cases import THUMBNAILS, StoredCase, StoredPhoto, write_cases
from scin.index.choose import ENCODER_FOLDER
from scin.index.manifest import FORMAT, MANIFEST_FILE, MEASURES, Manifest, Vote, replace_folder, write_manifest
from scin.index.vectors import METRIC, fit_default, read_embeddings, write_embeddings, write_index
from scin.population import measure_population, write_population
from storage import Storage
from storage.base import sha256_file

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
    progress: Progress = lambda done, total: None,
    kind: str = "auto",
    shards: Path | None = None,
    resume: bool = False,
    shard_photos: int = SHARD_PHOTOS,
    engine: Engine | None = None,
    stages: Stages | None = None,
) -> Manifest:
    """Index the labelled cases of a dataset in SCIN's layout, or the first ``limit`` of them.

    The complete folder replaces ``out`` in one step. ``kind`` is "auto" or one of scin.index.vectors.kinds().
    ``progress`` gets (photos done, photos in all). ``engine`` embeds the photos; None means in this process.

    ``shards`` is a folder that keeps the embedded photos for a later run; it must be on the file system of ``out``.
    None keeps nothing. With ``resume``, the shards of an earlier run on the same source with the same encoder are
    reused. The result has the same bytes as that of an uninterrupted build. Without ``resume``, they are removed first.

    Raises:
        BuildError: nothing can be indexed, ``out`` contains something else, the shards are from another source or
            encoder, or the store stops answering.
        StorageError: the CSV files cannot be read, or another build is running.
    """
    check_replaceable(out, MANIFEST_FILE)
    dataset = read_dataset(store)
    cases = [case for case in dataset.cases if case.label.weights][:limit]
    stages = stages or Stages()
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") if shards is None else nullcontext(shards) as place:
        folder = Path(place)
        recipe = Recipe(store.uri.rstrip("/"), encoder.fingerprint, encoder.dimension, shard_photos)
        done = ShardFolder(folder, recipe)
        with done.locked():
            done.prepare(resume=resume)
            photos = list(dict.fromkeys(image.path for case in cases for image in case.images))
            plan = plan_shards(photos, shard_photos)
            _embed(plan, done, engine or LocalEngine(store, encoder), stages, progress)
            work = folder / _WORK
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            with stages.timed("measure", photos=0):
                write_population(work, measure_population(store, photos))
            with stages.timed("index", photos=0):
                manifest = _assemble(
                    work, done, plan, name=name, dataset=dataset, cases=cases, encoder=encoder, kind=kind
                )
            replace_folder(out, work, aside=folder / "replaced")
    return manifest


def check_replaceable(folder: Path, sign: str) -> None:
    """Raise BuildError unless ``folder`` is absent, empty, or an earlier build, which contains the file ``sign``."""
    if folder.is_dir() and (not any(folder.iterdir()) or (folder / sign).is_file()):
        return
    if folder.exists():
        raise BuildError(f"{folder} exists and was not made by this command. Remove it or choose another folder.")


def shard_folder(out: Path) -> Path:
    """The folder in which the command keeps the shards of the index ``out``."""
    return out.with_name(f"{out.name}.shards")


def _embed(plan: Sequence[Shard], done: ShardFolder, engine: Engine, stages: Stages, progress: Progress) -> None:
    """Embed and write the missing shards."""
    pending = [shard for shard in plan if not done.holds(shard)]
    total = sum(len(shard.photos) for shard in plan)
    finished = total - sum(len(shard.photos) for shard in pending)
    if finished:
        progress(finished, total)

    def count(photos: int) -> None:
        nonlocal finished
        finished += photos
        progress(finished, total)

    for shard, rows in engine.embed(pending, stages, count):
        with stages.timed("write", len(rows)):
            done.write(shard, rows)


def _assemble(
    work: Path,
    done: ShardFolder,
    shards: Sequence[Shard],
    *,
    name: str,
    dataset: Dataset,
    cases: Sequence[Case],
    encoder: Encoder,
    kind: str,
) -> Manifest:
    """Write the remaining files of an index of ``cases`` to the folder ``work``.

    Raises BuildError if no photo can be indexed.
    """
    photos = _unpack(work, done, shards, encoder.dimension)
    own = read_own_encoder(encoder.spec)
    stored = [row for case in cases if (row := photos.of(case, own.photos)).photos]
    if not stored:
        raise BuildError("There is nothing to index: no labelled case has a readable photo.")
    write_cases(work, stored)
    own.copy(work / ENCODER_FOLDER)
    vectors = read_embeddings(work)
    transform = fit_default(vectors)
    structure = write_index(work, vectors, transform, kind)
    unlabelled = sum(not case.label.weights for case in dataset.cases)
    skipped = {**dataset.skipped, **photos.skipped, "no label": unlabelled}
    credit = dataset.facts.attribution
    files = sorted(path for path in work.rglob("*") if path.is_file())
    manifest = Manifest(
        format=FORMAT,
        name=name,
        dataset=credit["dataset"],
        release=", ".join(sorted({case.release for case in dataset.cases})),
        synthetic=dataset.synthetic,
        cases=len(stored),
        images=sum(len(case.photos) for case in stored),
        vectors=len(photos.by_digest),
        skipped={reason: count for reason, count in sorted(skipped.items()) if count},
        encoder=encoder.spec.name,
        encoder_version=encoder.spec.version,
        encoder_fingerprint=encoder.fingerprint,
        dimension=encoder.dimension,
        metric=METRIC,
        transforms=transform.steps,
        structure=structure,
        measures=MEASURES,
        vote=Vote(),
        licence=credit["licence"],
        attribution=dict(credit),
        photo_kind=dataset.facts.photo_kind,
        built_at=dataset.modified_at,
        files={path.relative_to(work).as_posix(): sha256_file(path) for path in files},
    )
    write_manifest(work, manifest)
    return manifest


def _unpack(work: Path, done: ShardFolder, shards: Sequence[Shard], dimension: int) -> _StoredPhotos:
    """Write the embeddings and the thumbnails of all shards."""
    photos = _StoredPhotos()
    distinct = set().union(*map(done.digests, shards))
    rows = (row for shard in shards for row in done.read(shard))
    with (work / THUMBNAILS).open("wb") as packed:
        write_embeddings(work, photos.unpack(rows, packed), len(distinct), dimension)
    return photos


@dataclass
class _StoredPhotos:
    """The place of each photo's vector and thumbnail. Photos with the same bytes share one place."""

    by_digest: dict[str, StoredPhoto] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def unpack(self, rows: Iterable[Row], packed: BinaryIO) -> Iterator[Vector]:
        """Yield the vectors in order and write the thumbnails to ``packed``, one photo at a time."""
        for row in rows:
            if row.vector is None:
                self.skipped[row.skipped] += 1
                continue
            self.digests[row.path] = row.digest
            if row.digest not in self.by_digest:
                place = StoredPhoto(len(self.by_digest), packed.tell(), len(row.thumbnail), shot_type=None)
                self.by_digest[row.digest] = place
                packed.write(row.thumbnail)
                yield row.vector

    def of(self, case: Case, seen: Set[str]) -> StoredCase:
        """``seen``: the digests of the photos that the encoder was trained on."""
        photos = [
            replace(self.by_digest[self.digests[image.path]], shot_type=image.shot_type)
            for image in case.images
            if image.path in self.digests
        ]
        digests = {self.digests[image.path] for image in case.images if image.path in self.digests}
        return StoredCase.of(case, photos, seen=not digests.isdisjoint(seen))

"""Embedded photos on disk, a shard at a time: what bounds the memory of a build, and what a killed one goes on from."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scin.building.packing import pack, unpack
from scin.building.photos import UNREADABLE, Row
from scin.manifest import MEASURES
from storage.base import write_atomically

#: photos of a shard: what a killed build loses at most. Half a megabyte of vectors, a quarter of a minute of encoding
SHARD_PHOTOS = 256
_FORMAT = 2
_RECIPE, _LOCK = "recipe.json", "lock"


class BuildError(Exception):
    """No index can be built from this; the message says why."""


@dataclass(frozen=True)
class Shard:
    """A fixed part of the photos to embed, so that a resumed build makes the same batches as an uninterrupted one.

    Of the photos in ``untoned`` the tone is not needed.
    """

    number: int
    paths: tuple[str, ...]
    untoned: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Recipe:
    """What makes the shards of one build unfit for another."""

    source: str
    encoder_fingerprint: str
    dimension: int
    shard_photos: int = SHARD_PHOTOS
    measures: int = MEASURES
    format: int = _FORMAT


def plan_shards(paths: Sequence[str], photos: int = SHARD_PHOTOS, untoned: frozenset[str] = frozenset()) -> list[Shard]:
    """The same paths give the same shards; more paths change only the last one. ``untoned``: see ``Shard``."""
    parts = [tuple(paths[start : start + photos]) for start in range(0, len(paths), photos)]
    return [Shard(number, part, untoned.intersection(part)) for number, part in enumerate(parts)]


class ShardFolder:
    """The shards of one build. Each file appears whole or not at all."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self._recipe = recipe

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other builds out; the lock ends with the process. Raises BuildError if another build is at work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BuildError(f"Another build is at work in {self.folder}: wait for it or stop it.") from error
            yield

    def prepare(self, *, resume: bool) -> None:
        """With ``resume`` keep the shards that are there; else start anew.

        Raises BuildError if they are to be kept and were made by another recipe.
        """
        text = json.dumps(asdict(self._recipe), indent=1) + "\n"
        recipe = self.folder / _RECIPE
        if not resume or not recipe.is_file():
            self.clear()
        elif recipe.read_text(encoding="utf-8") != text:
            raise BuildError(
                f"The photos in {self.folder} were embedded from another source, by another encoder or by another "
                "version. Use the same ones, or leave --resume away to start anew."
            )
        write_atomically(recipe, text.encode())

    def clear(self) -> None:
        """Remove everything but the lock."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()

    def holds(self, shard: Shard) -> bool:
        """Whether the shard is done: of these paths, and none that a later attempt might read."""
        try:
            table = pq.read_table(self._file(shard), columns=["path", "skipped"])
        except (OSError, pa.ArrowInvalid):
            return False
        return tuple(table["path"].to_pylist()) == shard.paths and UNREADABLE not in table["skipped"].to_pylist()

    def digests(self, shard: Shard) -> list[str]:
        """Of the photos that the shard has a vector of."""
        table = pq.read_table(self._file(shard), columns=["digest", "vector"])
        return [str(digest) for digest in table.filter(table["vector"].is_valid())["digest"].to_pylist()]

    def write(self, shard: Shard, rows: Sequence[Row]) -> None:
        write_atomically(self._file(shard), pack(rows, self._recipe.dimension))

    def read(self, shard: Shard) -> Iterator[Row]:
        return unpack(self._file(shard), self._recipe.dimension)

    def _file(self, shard: Shard) -> Path:
        return self.folder / f"{shard.number:06}.parquet"

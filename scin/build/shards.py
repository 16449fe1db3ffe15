"""Embedded photos on disk in shards, which bound the memory of a build and from which a killed build goes on."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scin.build.photos import UNREADABLE, PhotoPath, Row
from scin.index.manifest import MEASURES
from storage.base import write_atomically

#: photos of a shard, which are what a killed build loses at most: half a megabyte of vectors, 15 seconds of encoding
SHARD_PHOTOS = 256
_FORMAT = 3
_RECIPE, _LOCK = "recipe.json", "lock"


class BuildError(Exception):
    """No index can be built from this; the message says why."""


@dataclass(frozen=True)
class Shard:
    """A fixed part of the photos to embed, so that a resumed build makes the same batches as an uninterrupted one."""

    number: int
    photos: tuple[PhotoPath, ...]


@dataclass(frozen=True)
class Recipe:
    """The shards of a build with another recipe cannot be used."""

    source: str
    encoder_fingerprint: str
    dimension: int
    shard_photos: int = SHARD_PHOTOS
    measures: int = MEASURES
    format: int = _FORMAT


def plan_shards(photos: Sequence[PhotoPath], size: int = SHARD_PHOTOS) -> list[Shard]:
    """Shards of ``size`` photos. The same photos give the same shards; more photos change only the last one."""
    parts = (tuple(photos[start : start + size]) for start in range(0, len(photos), size))
    return [Shard(number, part) for number, part in enumerate(parts)]


class ShardFolder:
    """The shards of one build. Each file appears whole or not at all."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self._recipe = recipe

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other builds out; the lock ends with the process. Raises BuildError if another build is running."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BuildError(f"Another build is running in {self.folder}: wait for it or stop it.") from error
            yield

    def prepare(self, *, resume: bool) -> None:
        """With ``resume`` keep the shards that are there; else remove everything but the lock.

        Raises BuildError if they are to be kept and were made with another recipe.
        """
        text = json.dumps(asdict(self._recipe), indent=1) + "\n"
        recipe = self.folder / _RECIPE
        if not resume or not recipe.is_file():
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.name != _LOCK:
                    path.unlink()
        elif recipe.read_text(encoding="utf-8") != text:
            raise BuildError(
                f"The photos in {self.folder} were embedded from another source, by another encoder or by another "
                "version. Use the same ones, or start anew without --resume."
            )
        write_atomically(recipe, text.encode())

    def holds(self, shard: Shard) -> bool:
        """Whether the shard is done: with the same photos, each of which could be read."""
        try:
            table = pq.read_table(self._file(shard), columns=["path", "skipped"])
        except (OSError, pa.ArrowInvalid):
            return False
        paths = [photo.path for photo in shard.photos]
        return table["path"].to_pylist() == paths and UNREADABLE not in table["skipped"].to_pylist()

    def digests(self, shard: Shard) -> set[str]:
        """The digests of the photos that have a vector."""
        table = pq.read_table(self._file(shard), columns=["digest", "skipped"])
        return set(table.filter(pc.equal(table["skipped"], ""))["digest"].to_pylist())

    def write(self, shard: Shard, rows: Sequence[Row]) -> None:
        write_atomically(self._file(shard), pack(rows, self._recipe.dimension))

    def read(self, shard: Shard) -> Iterator[Row]:
        return unpack(self._file(shard), self._recipe.dimension)

    def _file(self, shard: Shard) -> Path:
        return self.folder / f"{shard.number:06}.parquet"


def pack(rows: Sequence[Row], dimension: int) -> bytes:
    """Rows → a parquet file. The same rows give the same bytes; vectors are float32, of ``dimension`` numbers."""
    schema = _schema(dimension)
    columns = {name: [getattr(row, name) for row in rows] for name in schema.names}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pydict(columns, schema=schema), sink, compression="none", use_dictionary=False)
    return bytes(sink.getvalue().to_pybytes())


def unpack(packed: Path | bytes, dimension: int) -> Iterator[Row]:
    """The rows of a file, or of what ``pack`` returned."""
    source = pa.BufferReader(packed) if isinstance(packed, bytes) else packed
    for row in pq.read_table(source, schema=_schema(dimension)).to_pylist():
        vector = None if row["vector"] is None else np.array(row["vector"], np.float32)
        yield Row(**{**row, "vector": vector})


def _schema(dimension: int) -> pa.Schema:
    return pa.schema(
        [
            ("path", pa.string()),
            ("digest", pa.string()),
            ("vector", pa.list_(pa.float32(), dimension)),
            ("thumbnail", pa.binary()),
            ("skipped", pa.string()),
            ("monk", pa.int32()),
        ]
    )

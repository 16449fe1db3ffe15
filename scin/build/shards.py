"""Shards: files of embedded photos. They bound the memory of a build, and a killed build can resume from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from scin.build.photos import UNREADABLE, Row
from storage.base import write_atomically
from storage.work_folder import clear, locked

#: photos in a shard: half a megabyte of vectors and 15 seconds of encoding. A killed build loses at most one shard.
SHARD_PHOTOS = 256
_FORMAT = 4
_RECIPE = "recipe.json"


class BuildError(Exception):
    """The index cannot be built. The message says why."""


@dataclass(frozen=True)
class Shard:
    """A part of the photos to embed: their paths. Shards are fixed, so that a resumed build makes the same batches."""

    number: int
    photos: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """The parameters that determine a shard's content. Shards with another recipe cannot be reused."""

    source: str
    encoder_fingerprint: str
    dimension: int
    shard_photos: int = SHARD_PHOTOS
    format: int = _FORMAT


def plan_shards(photos: Sequence[str], size: int = SHARD_PHOTOS) -> list[Shard]:
    """Split photos into shards of ``size``. If photos are added at the end, only the last shard changes."""
    parts = (tuple(photos[start : start + size]) for start in range(0, len(photos), size))
    return [Shard(number, part) for number, part in enumerate(parts)]


class ShardFolder:
    """The shards of one build. Each file is written atomically."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self._recipe = recipe

    def locked(self) -> AbstractContextManager[None]:
        """Lock the folder. Raises FolderInUseError if another build is running."""
        return locked(self.folder, "build")

    def prepare(self, *, resume: bool) -> None:
        """With ``resume``, keep the existing shards; otherwise remove everything except the lock.

        Raises BuildError if the shards to keep have another recipe.
        """
        text = json.dumps(asdict(self._recipe), indent=1) + "\n"
        recipe = self.folder / _RECIPE
        if not resume or not recipe.is_file():
            clear(self.folder)
        elif recipe.read_text(encoding="utf-8") != text:
            raise BuildError(
                f"The photos in {self.folder} were embedded from another source, by another encoder or by another "
                "version. Use the same ones, or start again without --resume."
            )
        write_atomically(recipe, text.encode())

    def holds(self, shard: Shard) -> bool:
        """Whether the shard is complete: it has the same photos, and each photo could be read."""
        try:
            table = pq.read_table(self._file(shard), columns=["path", "skipped"])
        except (OSError, pa.ArrowInvalid):
            return False
        return table["path"].to_pylist() == list(shard.photos) and UNREADABLE not in table["skipped"].to_pylist()

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
    """The bytes of a Parquet file of the rows. The same rows give the same bytes. Vectors are float32 [dimension]."""
    schema = _schema(dimension)
    columns = {name: [getattr(row, name) for row in rows] for name in schema.names}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pydict(columns, schema=schema), sink, compression="none", use_dictionary=False)
    return bytes(sink.getvalue().to_pybytes())


def unpack(packed: Path | bytes, dimension: int) -> Iterator[Row]:
    """The rows in a Parquet file, given as a path or as bytes from ``pack``."""
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
        ]
    )

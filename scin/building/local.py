"""The stages on this machine: readers, decoders and encoders in threads, each a bounded way ahead of the next."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ml.models.encoder import Encoder
from ml.values import Vectors
from scin.building.photos import UNREADABLE, Copies, Decoded, Row, decode_photo
from scin.building.shards import BuildError, Shard
from scin.building.stages import Stages
from storage import ObjectInfo, Storage, StorageError
from storage.base import map_ordered, read_many

BATCH = 8
#: so many in a row that a store fails to deliver: it has gone, and an index with a hole would help no one
UNREADABLE_MOST = 32


Tell = Callable[[int], None]
_Photo = TypeVar("_Photo", Row, Decoded | Row)


class Engine(Protocol):
    """What embeds the photos of shards."""

    def embed(
        self, shards: Sequence[Shard], done: Mapping[str, int], stages: Stages, tell: Tell
    ) -> Iterator[tuple[Shard, list[Row]]]:
        """Whole shards in their order. ``tell`` hears how many photos are through, each time some are.

        ``done`` maps the digests of earlier runs to the first shard that has their vector: a photo that was embedded
        in an earlier shard has none. Raises BuildError if the store does not answer any more.
        """
        ...


@dataclass
class _Batch:
    """Photos that go to the encoder together, among rows that do not; ``ends`` is the shard that is whole then."""

    rows: list[Decoded | Row] = field(default_factory=list)
    fresh: list[Decoded] = field(default_factory=list)
    ends: Shard | None = None


class LocalEngine:
    """Readers, decoders and encoders in the threads of this process, for ``cores`` processors (None: all of them)."""

    def __init__(self, store: Storage, encoder: Encoder, cores: int | None = None) -> None:
        self._store = store
        self._encoder = encoder
        self._cores = cores or len(os.sched_getaffinity(0))

    def embed(
        self, shards: Sequence[Shard], done: Mapping[str, int], stages: Stages, tell: Tell
    ) -> Iterator[tuple[Shard, list[Row]]]:
        untoned = frozenset().union(*(shard.untoned for shard in shards))

        def decode(content: tuple[str, bytes | StorageError]) -> Decoded | Row:
            with stages.timed("decode"):
                return decode_photo(*content, toned=content[0] not in untoned)

        def encode(batch: _Batch) -> tuple[list[Row], Shard | None]:
            with stages.timed("encode", len(batch.fresh)):
                return self._rows(batch), batch.ends

        contents = read_many(_TimedStore(self._store, stages), (path for shard in shards for path in shard.paths))
        photos = map_ordered(decode, contents, workers=self._cores, ahead=2 * BATCH, name="decoder")
        batches = _batches(shards, checked(photos, self._store.uri), done)
        # One encoder a core, each computing with one thread: none waits for another's part of a layer.
        embedded = map_ordered(encode, batches, workers=self._cores, ahead=self._cores + 1, name="encoder")
        rows: list[Row] = []
        for batch, whole in embedded:
            rows += batch
            tell(len(batch))
            if whole is not None:
                yield whole, rows
                rows = []

    def _rows(self, batch: _Batch) -> list[Row]:
        vectors: Vectors | tuple[()] = self._encoder.embed([p.rgb for p in batch.fresh]) if batch.fresh else ()
        embedded = iter(vectors)
        return [row if isinstance(row, Row) else row.row(next(embedded)) for row in batch.rows]


def _batches(shards: Sequence[Shard], photos: Iterator[Decoded | Row], done: Mapping[str, int]) -> Iterator[_Batch]:
    """Batches never reach over the end of a shard, so that what is in one depends on the photos alone."""
    copies = Copies(done)
    for shard in shards:
        batch = _Batch()
        for _ in shard.paths:
            photo = next(photos)
            if isinstance(photo, Decoded):
                if copies.has(photo.digest, shard.number):
                    photo = photo.row(None)
                else:
                    batch.fresh.append(photo)
            batch.rows.append(photo)
            if len(batch.fresh) == BATCH:
                yield batch
                batch = _Batch()
        batch.ends = shard
        yield batch


def checked(photos: Iterator[_Photo], uri: str) -> Iterator[_Photo]:
    """The same photos, as long as the store answers. Raises BuildError when it has gone."""
    failed = 0
    for photo in photos:
        failed = failed + 1 if isinstance(photo, Row) and photo.skipped == UNREADABLE else 0
        if failed == UNREADABLE_MOST:
            raise BuildError(
                f"{failed} photos in a row could not be read from {uri}. "
                "Run the same command with --resume when it answers again: what is done is kept."
            )
        yield photo


class _TimedStore:
    """A store whose reads are counted."""

    def __init__(self, store: Storage, stages: Stages) -> None:
        self.uri = store.uri
        self._store = store
        self._stages = stages

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._store.list(prefix)

    def read(self, name: str) -> bytes:
        with self._stages.timed("read"):
            return self._store.read(name)

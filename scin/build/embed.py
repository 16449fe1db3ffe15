"""Embeds the photos of shards: in the threads of one process, or in pieces for the processes of a cluster."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ml.errors import ArtifactError, MLError
from ml.models.encoder import Encoder
from scin.build.photos import UNREADABLE, Decoded, Row, decode_photo
from scin.build.progress import Stages
from scin.build.shards import BuildError, Shard, pack, plan_shards
from scin.layout import CASES_FILE
from storage import ObjectInfo, Storage, StorageError, open_storage
from storage.base import map_ordered, read_many

BATCH = 8
#: After this many unreadable photos in a row, the store counts as unavailable and the build stops.
UNREADABLE_MOST = 32
#: photos in a piece for a cluster: some seconds of work, so that all processes end at about the same time
_PIECE_PHOTOS = 4 * BATCH

Count = Callable[[int], None]
_Photo = TypeVar("_Photo", Row, Decoded | Row)


class Engine(Protocol):
    """Embeds the photos of shards."""

    def embed(self, shards: Sequence[Shard], stages: Stages, count: Count) -> Iterator[tuple[Shard, list[Row]]]:
        """Yield the shards in order, each with its rows. ``count`` gets the number of photos embedded since its last
        call.

        Raises BuildError if the store stops answering.
        """
        ...


class LocalEngine:
    """Reads, decodes and encodes in threads of this process, on ``cores`` processors (None: all of them)."""

    def __init__(self, store: Storage, encoder: Encoder, cores: int | None = None) -> None:
        self._store = store
        self._encoder = encoder
        self._cores = cores or len(os.sched_getaffinity(0))

    def embed(self, shards: Sequence[Shard], stages: Stages, count: Count) -> Iterator[tuple[Shard, list[Row]]]:
        def decode(content: tuple[str, bytes | StorageError]) -> Decoded | Row:
            path, data = content
            with stages.timed("decode"):
                return decode_photo(path, data)

        def encode(batch: Sequence[Decoded | Row]) -> list[Row]:
            rgbs = [photo.rgb for photo in batch if isinstance(photo, Decoded)]
            with stages.timed("encode", len(rgbs)):
                vectors = iter(self._encoder.embed(rgbs) if rgbs else ())
            return [photo if isinstance(photo, Row) else photo.row(next(vectors)) for photo in batch]

        paths = (path for shard in shards for path in shard.photos)
        contents = read_many(_TimedStore(self._store, stages), paths)
        photos = map_ordered(decode, contents, workers=self._cores, ahead=2 * BATCH, name="decoder")
        batches = _batches(shards, checked(photos, self._store.uri))
        # One single-threaded encoder per core: the threads of one encoder would wait for each other at each layer.
        embedded = map_ordered(encode, batches, workers=self._cores, ahead=self._cores + 1, name="encoder")
        for shard in shards:
            rows: list[Row] = []
            while len(rows) < len(shard.photos):
                batch = next(embedded)
                rows += batch
                count(len(batch))
            yield shard, rows


def _batches(shards: Sequence[Shard], photos: Iterator[_Photo]) -> Iterator[list[_Photo]]:
    """Batches that never cross the end of a shard, so that they depend only on the photos."""
    for shard in shards:
        whole = islice(photos, len(shard.photos))
        while batch := list(islice(whole, BATCH)):
            yield batch


def checked(photos: Iterator[_Photo], uri: str) -> Iterator[_Photo]:
    """Pass the photos on. Raises BuildError after UNREADABLE_MOST unreadable photos in a row."""
    failed = 0
    for photo in photos:
        failed = failed + 1 if isinstance(photo, Row) and photo.skipped == UNREADABLE else 0
        if failed == UNREADABLE_MOST:
            raise BuildError(
                f"{failed} photos in a row could not be read from {uri}. "
                "Finished photos are kept. Run the same command with --resume when the store answers again."
            )
        yield photo


class _TimedStore:
    """A store whose reads are timed."""

    def __init__(self, store: Storage, stages: Stages) -> None:
        self.uri = store.uri
        self._store = store
        self._stages = stages

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._store.list(prefix)

    def read(self, name: str) -> bytes:
        with self._stages.timed("read"):
            return self._store.read(name)


@dataclass(frozen=True)
class PieceWorker:
    """Embeds pieces of shards in one process of a cluster, on one CPU.

    At the first piece it opens the store and loads the encoder. They must be the same as on the machine that starts the
    build: the case table must have ``cases_sha256``, and the weights ``fingerprint``.
    """

    source: str
    cases_sha256: str
    make_encoder: Callable[[], Encoder]
    fingerprint: str
    dimension: int

    @classmethod
    def of(cls, store: Storage, make_encoder: Callable[[], Encoder], encoder: Encoder) -> PieceWorker:
        """Make a worker for the ``store`` and ``encoder`` of the machine that starts the build. Raises StorageError."""
        source = store.uri if ":" in store.uri else str(Path(store.uri).resolve())
        return cls(source, _cases_sha256(store), make_encoder, encoder.fingerprint, encoder.dimension)

    def embed(self, piece: Mapping[str, Any]) -> dict[str, Any]:
        """Embed the photos given by ``paths``. Returns packed ``rows`` in order, and ``stages`` as JSON.

        ``failed`` is the reason if this machine cannot embed them, else "". It is not an exception, because the cluster
        would wrap that in its own.
        """
        photos = map(str, piece["paths"])
        stages = Stages()
        try:
            ((_, rows),) = self._engine.embed([Shard(0, tuple(photos))], stages, lambda _: None)
        except (MLError, StorageError, BuildError) as error:
            return {"rows": b"", "stages": "{}", "failed": str(error)}
        return {"rows": pack(rows, self.dimension), "stages": json.dumps(stages.counts()), "failed": ""}

    @cached_property
    def _engine(self) -> LocalEngine:
        store = open_storage(self.source)
        if _cases_sha256(store) != self.cases_sha256:
            raise BuildError(f"{CASES_FILE} in {self.source} differs from that on the machine that started the build.")
        encoder = self.make_encoder()
        if encoder.fingerprint != self.fingerprint:
            raise ArtifactError(f"The weights of {encoder.spec.name} differ from those on the machine of the build.")
        return LocalEngine(store, encoder, cores=1)


def pieces(shards: Sequence[Shard]) -> list[dict[str, Any]]:
    """The photos of shards in order, in pieces for ``PieceWorker``.

    No piece crosses the end of a shard, so that the batches do not depend on which shards are already done.
    """
    parts = (part.photos for shard in shards for part in plan_shards(shard.photos, _PIECE_PHOTOS))
    return [{"paths": list(photos)} for photos in parts]


def _cases_sha256(store: Storage) -> str:
    return hashlib.sha256(store.read(CASES_FILE)).hexdigest()

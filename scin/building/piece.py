"""What one process of a cluster does: it embeds the pieces of shards that it is handed, as a build on one CPU would."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ml.errors import ArtifactError, MLError
from ml.models.encoder import Encoder
from scin.building.local import BATCH, LocalEngine
from scin.building.packing import pack
from scin.building.shards import BuildError, Shard, plan_shards
from scin.building.stages import Stages
from scin.dataset import CASES_FILE
from storage import Storage, StorageError, open_storage

#: photos of a piece: some seconds of work, so that all processes end at about the same time
_PHOTOS = 4 * BATCH


@dataclass(frozen=True)
class Job:
    """What all processes must have in common with the machine that asks: the same photos and the same weights.

    ``cases_sha256`` is that of the table of cases in ``source``; ``make_encoder`` is called once in each process.
    """

    source: str
    cases_sha256: str
    make_encoder: Callable[[], Encoder]
    fingerprint: str
    dimension: int

    @classmethod
    def of(cls, store: Storage, make_encoder: Callable[[], Encoder], encoder: Encoder) -> Job:
        """``store`` and ``encoder`` are those of the machine that asks. Raises StorageError."""
        source = store.uri if ":" in store.uri else str(Path(store.uri).resolve())
        return cls(source, _cases_sha256(store), make_encoder, encoder.fingerprint, encoder.dimension)


@dataclass(frozen=True)
class Embedded:
    """A piece, in numbers and bytes that travel: ``rows`` are packed, ``stages`` is JSON of what Stages counts. Where
    the piece could not be embedded, ``failed`` says why (else "")."""

    rows: bytes = b""
    stages: str = "{}"
    failed: str = ""


class Worker:
    """Embeds pieces for a job. It opens the store and loads the encoder when it gets the first one."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def embed(self, piece: Shard) -> Embedded:
        """The photos in their order. A copy of an earlier one of them has no vector. What is wrong with the job on this
        machine is told, not raised: an exception would reach whoever asks wrapped in the cluster's own."""
        stages = Stages()
        try:
            rows = [row for _, rows in self._engine.embed([piece], {}, stages, lambda _: None) for row in rows]
        except (MLError, StorageError, BuildError) as error:
            return Embedded(failed=str(error))
        return Embedded(pack(rows, self._job.dimension), json.dumps(stages.counts()))

    @cached_property
    def _engine(self) -> LocalEngine:
        store = open_storage(self._job.source)
        if _cases_sha256(store) != self._job.cases_sha256:
            raise BuildError(f"{self._job.source} holds another {CASES_FILE} there than on the machine that asks.")
        encoder = self._job.make_encoder()
        if encoder.fingerprint != self._job.fingerprint:
            raise ArtifactError(f"{encoder.spec.name} has other weights there than on the machine that asks.")
        return LocalEngine(store, encoder, cores=1)


def pieces(shards: Sequence[Shard]) -> list[Shard]:
    """Smaller shards of the same photos in their order. None reaches over the end of a shard, so that the same batches
    are made whatever was done before."""
    return [piece for shard in shards for piece in plan_shards(shard.paths, _PHOTOS, shard.untoned)]


def _cases_sha256(store: Storage) -> str:
    return hashlib.sha256(store.read(CASES_FILE)).hexdigest()

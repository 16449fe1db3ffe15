"""Embeds photos on a Ray cluster. Ray Data distributes pieces of shards to processes that hold the encoder.

Only this file imports ray. Without an address, Ray uses a cluster that runs on this machine, or starts one for the
duration of the build.
"""

from __future__ import annotations

import json
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import ray
import ray.data

from ml.models.encoder import Encoder
from scin.build.embed import Count, PieceWorker, checked, pieces
from scin.build.photos import Row
from scin.build.progress import Stages
from scin.build.shards import BuildError, Shard, unpack
from storage import Storage

_TIMEOUT_S = 10.0


class RayEngine:
    """Embeds with one process per CPU of the cluster. Each process also reads and decodes its photos, so pixels are not
    sent between machines.

    ``nodes`` maps a node's id to the number of photos that it embedded.
    """

    def __init__(
        self, store: Storage, make_encoder: Callable[[], Encoder], encoder: Encoder, address: str | None = None
    ) -> None:
        self._worker = PieceWorker.of(store, make_encoder, encoder)
        self._address = address
        self.nodes: Counter[str] = Counter()

    def embed(self, shards: Sequence[Shard], stages: Stages, count: Count) -> Iterator[tuple[Shard, list[Row]]]:
        if not shards:
            return
        with _connected(self._address):
            rows = checked(self._rows(pieces(shards), stages, count), self._worker.source)
            for shard in shards:
                yield shard, list(islice(rows, len(shard.photos)))

    def _rows(self, parts: Sequence[dict[str, Any]], stages: Stages, count: Count) -> Iterator[Row]:
        """The rows of the photos in order."""
        embedded = ray.data.from_items(list(parts), override_num_blocks=len(parts)).map(
            _NodeWorker,
            fn_constructor_args=(self._worker,),
            compute=ray.data.ActorPoolStrategy(size=min(_cpus(), len(parts))),
            num_cpus=1,
        )
        for answer, part in zip(embedded.iter_rows(), parts, strict=True):
            node = answer["node"]
            if answer["failed"]:
                raise BuildError(f"On node {node[:12]}: {answer['failed']}")
            for stage, (photos, busy_s) in json.loads(answer["stages"]).items():
                stages.add(stage, photos, busy_s)
            count(len(part["paths"]))
            for row in unpack(answer["rows"], self._worker.dimension):
                self.nodes[node] += row.vector is not None
                yield row


class _NodeWorker:
    """A PieceWorker as Ray Data calls it. Adds the id of its node to the result."""

    def __init__(self, worker: PieceWorker) -> None:
        self._worker = worker
        self._node = ray.get_runtime_context().get_node_id()

    def __call__(self, piece: dict[str, Any]) -> dict[str, Any]:
        return {"node": self._node, **self._worker.embed(piece)}


def check_address(address: str) -> None:
    """Raise BuildError if ``address`` is HOST:PORT and nothing listens there. Ray itself would retry for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "://" in address:  # other forms (auto, local, ray://…) are left to Ray
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S).close()
    except OSError as error:
        raise BuildError(
            f"Nothing answers at RAY_ADDRESS={address}. Start the cluster, or unset RAY_ADDRESS to use this machine."
        ) from error


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    """Connect to the cluster. Raises BuildError if the cluster at ``address`` does not answer.

    The connection is closed at the end. After a failure it stays open, because closing it while threads still use it
    would end the process before the failure is shown. Ray closes it when the process ends.
    """
    check_address(address or "")
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True  # the engine must yield whole shards in order
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    yield
    ray.shutdown()


def _cpus() -> int:
    """Number of CPUs of the cluster. Raises BuildError if there are none."""
    cpus = int(ray.cluster_resources().get("CPU", 0))
    if not cpus:
        raise BuildError("The Ray cluster has no CPUs. Start its nodes with --num-cpus.")
    return cpus

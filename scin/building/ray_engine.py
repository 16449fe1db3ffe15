"""The stages on the machines of a Ray cluster: Ray Data hands pieces of shards to processes that hold the encoder.

Only this file imports ray. Which cluster, and who works on what, is Ray's affair: an address names a cluster;
without it, one that runs on this machine is used, or made for the time of the build.
"""

from __future__ import annotations

import json
import logging
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from typing import Any

import ray
import ray.data

from ml.models.encoder import Encoder
from scin.building.local import Tell, checked
from scin.building.packing import unpack
from scin.building.photos import Copies, Row
from scin.building.piece import Job, Worker, pieces
from scin.building.shards import BuildError, Shard
from scin.building.stages import Stages
from storage import Storage

_TIMEOUT_S = 10.0


class RayEngine:
    """An encoder for each CPU of the cluster, in a process that reads and decodes its photos too: no pixels travel.

    ``nodes`` counts the photos that each node embedded. Copies of a photo that are not in one piece are embedded each,
    and kept once: processes do not ask each other.
    """

    def __init__(
        self, store: Storage, make_encoder: Callable[[], Encoder], encoder: Encoder, address: str | None = None
    ) -> None:
        self._job = Job.of(store, make_encoder, encoder)
        self._address = address
        self.nodes: Counter[str] = Counter()

    def embed(
        self, shards: Sequence[Shard], done: Mapping[str, int], stages: Stages, tell: Tell
    ) -> Iterator[tuple[Shard, list[Row]]]:
        if not shards:
            return
        copies = Copies(done)
        with _connected(self._address):
            rows = checked(self._rows(pieces(shards), stages, tell), self._job.source)
            for shard in shards:
                yield shard, [_without_copy(row, copies, shard) for row in islice(rows, len(shard.paths))]

    def _rows(self, parts: Sequence[Shard], stages: Stages, tell: Tell) -> Iterator[Row]:
        """Of the photos in their order."""
        embedded = ray.data.from_items([_sent(part) for part in parts], override_num_blocks=len(parts)).map(
            _Process,
            fn_constructor_args=(self._job,),
            compute=ray.data.ActorPoolStrategy(size=min(_cpus(), len(parts))),
            num_cpus=1,
        )
        for answer, part in zip(embedded.iter_rows(), parts, strict=True):
            node = answer["node"]
            if answer["failed"]:
                raise BuildError(f"On node {node[:12]}: {answer['failed']}")
            for stage, (photos, busy_s) in json.loads(answer["stages"]).items():
                stages.add(stage, photos, busy_s)
            tell(len(part.paths))
            for row in unpack(answer["rows"], self._job.dimension):
                self.nodes[node] += row.vector is not None
                yield row


class _Process:
    """A Worker as Ray Data calls it."""

    def __init__(self, job: Job) -> None:
        self._worker = Worker(job)
        self._node = ray.get_runtime_context().get_node_id()

    def __call__(self, part: dict[str, Any]) -> dict[str, Any]:
        return {"node": self._node, **asdict(self._worker.embed(_received(part)))}


def _sent(part: Shard) -> dict[str, Any]:
    return {"paths": list(part.paths), "untoned": [path in part.untoned for path in part.paths]}


def _received(part: dict[str, Any]) -> Shard:
    paths = tuple(map(str, part["paths"]))
    return Shard(0, paths, frozenset(path for path, untoned in zip(paths, part["untoned"], strict=True) if untoned))


def check_address(address: str) -> None:
    """Raises BuildError if nobody listens at ``address``, where it is HOST:PORT: Ray would go on asking for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "://" in address:  # such as auto, local, ray://…: Ray's own to find
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_TIMEOUT_S).close()
    except OSError as error:
        raise BuildError(
            f"Nobody answers at RAY_ADDRESS={address}. Start the cluster, or unset it to use this machine."
        ) from error


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    """A context in which the cluster can be used. Raises BuildError if the one at ``address`` does not answer.

    It is left when all is done. After a failure it is not: Ray would end the process, whose threads may still be asking
    the cluster for something, before anyone had heard what failed. Ray leaves by itself when the process ends.
    """
    check_address(address or "")
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True  # whole shards, one after the other
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    yield
    ray.shutdown()


def _cpus() -> int:
    """Of the whole cluster. Raises BuildError if there is none."""
    cpus = int(ray.cluster_resources().get("CPU", 0))
    if not cpus:
        raise BuildError("The Ray cluster has no CPU to embed with: start its nodes with --num-cpus.")
    return cpus


def _without_copy(row: Row, copies: Copies, shard: Shard) -> Row:
    if row.digest and not row.skipped and copies.has(row.digest, shard.number):
        return Row(row.path, row.digest, monk=row.monk)
    return row

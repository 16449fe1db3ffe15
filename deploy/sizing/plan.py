"""From what was measured to an instance, workers, threads and a price. Arithmetic only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deploy.sizing.catalogue import INSTANCES, MAX_INSTANCES, SYSTEM_MB, InstanceType
from deploy.sizing.measure import INDEX_VECTORS, Measured
from settings import SPARE_THREADS

#: the specification's targets: of the memory, and of the cores when all places are taken by the given load
MEMORY_TARGET = 0.8
CPU_TARGET = 0.7
#: the longest answer that the specification wants
RESPONSE_TARGET_S = 10.0
#: requests that may wait for each one that runs
_WAITING_PER_RUNNING = 2
#: two workers, so that one may crash or be replaced while the other answers; more only cost memory
_WORKERS = 2


@dataclass(frozen=True)
class Load:
    """Photos a minute at the busiest time, and vectors in the index."""

    requests_per_minute: float
    index_vectors: int


@dataclass(frozen=True)
class Choice:
    """One instance type for one load. ``objection`` says why it will not do."""

    instance: InstanceType
    workers: int
    threads: int
    analyses_at_once: int
    memory_gb: float
    requests_per_minute: float
    instances: int
    dollars_a_month: int
    objection: str | None


def index_mb(measured: Measured, vectors: int) -> float:
    """MiB of an index of so many vectors, shared by all workers of an instance (it is memory-mapped)."""
    return measured.index.mb * vectors / INDEX_VECTORS


def memory_gb(measured: Measured, load: Load, workers: int, at_once: int) -> float:
    """GiB in use on an instance when every place is taken: system, shared, each worker's own, each request's peak."""
    worker = measured.worker
    parts = (
        SYSTEM_MB,
        worker.shared_mb,
        index_mb(measured, load.index_vectors),
        workers * worker.private_mb,
        at_once * worker.request_peak_mb,
    )
    return sum(parts) / 1024


def throughput(measured: Measured, cores: int) -> float:
    """Photos a minute that one instance answers with its cores used to ``CPU_TARGET``.

    Assumes cores as fast as the measuring host's, and nothing of a core's second thread.
    """
    return 60 / measured.worker.request_cpu_s * cores * CPU_TARGET


def threads_for(at_once: int, workers: int) -> int:
    """GUNICORN_THREADS: those that run, those that wait, and the spare ones for health checks and refusals."""
    running = max(1, at_once // workers)
    return running * (1 + _WAITING_PER_RUNNING) + SPARE_THREADS


def consider(measured: Measured, load: Load, instance: InstanceType) -> Choice:
    """How this type would be set up, and whether it does."""
    at_once = instance.cores
    workers = min(_WORKERS, at_once)
    used_gb = memory_gb(measured, load, workers, at_once)
    rate = throughput(measured, instance.cores)
    count = max(1, math.ceil(load.requests_per_minute / rate))
    return Choice(
        instance=instance,
        workers=workers,
        threads=threads_for(at_once, workers),
        analyses_at_once=at_once,
        memory_gb=used_gb,
        requests_per_minute=rate,
        instances=count,
        dollars_a_month=count * instance.dollars_a_month,
        objection=_objection(measured, instance, used_gb, count),
    )


def _objection(measured: Measured, instance: InstanceType, used_gb: float, count: int) -> str | None:
    if instance.gpu:
        return "untried: the models run on the CPU here"
    if used_gb > MEMORY_TARGET * instance.memory_gb:
        return f"more than {MEMORY_TARGET:.0%} of its memory"
    if instance.cores < _WORKERS:
        return "one core, so one worker: nobody answers while it restarts"
    if measured.worker.request_s * (1 + _WAITING_PER_RUNNING) > RESPONSE_TARGET_S:
        return f"a request that waits takes more than {RESPONSE_TARGET_S:.0f} s"
    if count > MAX_INSTANCES:
        return f"{count} instances, and MaxSize is {MAX_INSTANCES}"
    return None


def recommend(measured: Measured, load: Load) -> tuple[Choice | None, tuple[Choice, ...]]:
    """The cheapest type that does (of two equal ones that with more memory), and all of them as considered."""
    choices = tuple(consider(measured, load, instance) for instance in INSTANCES)
    good = [choice for choice in choices if choice.objection is None]
    best = min(good, key=lambda choice: (choice.dollars_a_month, -choice.instance.memory_gb), default=None)
    return best, choices

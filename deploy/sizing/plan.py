"""Instance types, and the choice of one from the measurements: workers, threads and price. Arithmetic only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from deploy.sizing.measure import INDEX_VECTORS, Measured
from settings import SPARE_THREADS


@dataclass(frozen=True)
class InstanceType:
    """One instance type. The price is for us-east-1, on demand, $ per month of 730 hours."""

    name: str
    vcpu: int
    memory_gb: int
    dollars_a_month: int
    gpu: bool = False
    arm64: bool = False

    @property
    def cores(self) -> int:
        """Physical cores, at least 1. A vCPU is one of the two threads of an Intel core, or a whole Graviton core."""
        return self.vcpu if self.arm64 else max(1, self.vcpu // 2)


INSTANCES = (
    # Prices from the specification.
    InstanceType("t3.micro", 2, 1, 8),
    InstanceType("m5.large", 2, 8, 70),
    InstanceType("m5.xlarge", 4, 16, 140),
    InstanceType("c5.2xlarge", 8, 16, 250),
    InstanceType("m5.2xlarge", 8, 32, 280),
    InstanceType("r5.2xlarge", 8, 64, 365),
    InstanceType("g4dn.xlarge", 4, 16, 380, gpu=True),
    InstanceType("p3.2xlarge", 8, 61, 2200, gpu=True),
    # List prices of 2026: docs/deployment/sizing.md names the source.
    InstanceType("m7i.xlarge", 4, 16, 147),
    InstanceType("m7i.2xlarge", 8, 32, 294),
    InstanceType("m7g.xlarge", 4, 16, 119, arm64=True),
    InstanceType("m7g.2xlarge", 8, 32, 238, arm64=True),
    InstanceType("c7g.2xlarge", 8, 16, 212, arm64=True),
)

#: the minimum in the specification, and the type that .ebextensions sets
PINNED = "m5.2xlarge"
#: MaxSize in .ebextensions/20-scaling.config
MAX_INSTANCES = 3

#: {part: memory that the specification expects, in MB}
EXPECTED_MB = {
    "python": "100",
    "web": "200",
    "opencv": "200",
    "scikit-image": "150",
    "pillow": "50",
    "faiss": "300",
    "pytorch": "800",
    "tensorflow": "500",
    "index": "2,000–5,000",
}
#: the operating system and the platform's processes; from the specification, not measured
SYSTEM_MB = 500.0
#: the totals of the specification for one instance, in GB
EXPECTED_TOTALS_GB = {"minimum": 8.6, "recommended": 14.6, "full SCIN": 24.6}

#: maximum shares of memory and CPU in use, from the specification
MEMORY_TARGET = 0.8
CPU_TARGET = 0.7
#: the maximum response time in the specification
RESPONSE_TARGET_S = 10.0
#: waiting requests per running request
_WAITING_PER_RUNNING = 2
#: two workers, so that one answers while the other restarts; more workers only use more memory
_WORKERS = 2


@dataclass(frozen=True)
class Load:
    """Photos per minute at peak load, vectors in the index, and how many instances may fail at the same time."""

    requests_per_minute: float
    index_vectors: int
    spare_instances: int = 1


@dataclass(frozen=True)
class Choice:
    """One instance type for one load. ``objection`` says why it is unsuitable, or is None."""

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
    """MiB of an index with ``vectors``. It is memory-mapped, so all workers of an instance share it."""
    return measured.index.mb * vectors / INDEX_VECTORS


def memory_gb(measured: Measured, load: Load, workers: int, at_once: int) -> float:
    """GiB that an instance uses while ``at_once`` analyses run."""
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
    """Photos per minute of one instance at a CPU use of ``CPU_TARGET``.

    Assumes cores as fast as this host's and no gain from the second thread of a core.
    """
    return 60 / measured.worker.request_cpu_s * cores * CPU_TARGET


def threads_for(at_once: int, workers: int) -> int:
    """GUNICORN_THREADS: running requests, waiting requests, and spare threads for health checks and refusals."""
    running = max(1, at_once // workers)
    return running * (1 + _WAITING_PER_RUNNING) + SPARE_THREADS


def consider(measured: Measured, load: Load, instance: InstanceType) -> Choice:
    """Plan the configuration of one instance type, and check whether it is suitable."""
    at_once = instance.cores
    workers = min(_WORKERS, at_once)
    used_gb = memory_gb(measured, load, workers, at_once)
    rate = throughput(measured, instance.cores)
    count = max(1, math.ceil(load.requests_per_minute / rate)) + load.spare_instances
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
    if instance.gpu or instance.arm64:
        return f"not tested: the models were measured on {'the CPU' if instance.gpu else 'x86-64'}"
    if used_gb > MEMORY_TARGET * instance.memory_gb:
        return f"more than {MEMORY_TARGET:.0%} of its memory"
    if instance.cores < _WORKERS:
        return "one core allows one worker, and nothing answers while it restarts"
    if measured.worker.request_s * (1 + _WAITING_PER_RUNNING) > RESPONSE_TARGET_S:
        return f"a request that waits takes more than {RESPONSE_TARGET_S:.0f} s"
    if count > MAX_INSTANCES:
        return f"{count} instances, and MaxSize is {MAX_INSTANCES}"
    return None


def recommend(measured: Measured, load: Load) -> tuple[Choice | None, tuple[Choice, ...]]:
    """The cheapest suitable type (of equally cheap ones, the one with more memory) or None, and all choices."""
    choices = tuple(consider(measured, load, instance) for instance in INSTANCES)
    good = [choice for choice in choices if choice.objection is None]
    best = min(good, key=lambda choice: (choice.dollars_a_month, -choice.instance.memory_gb), default=None)
    return best, choices

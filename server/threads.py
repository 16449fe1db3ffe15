"""Plans the number of threads, so that all analyses together use each physical core once. See decision 0013."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from settings import Settings
from web.logs import log_event

_LOG = logging.getLogger("dermserve.threads")
_TOPOLOGY = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class ThreadPlan:
    """Each of ``workers`` processes runs ``analyses_per_worker`` analyses at once, each on ``intra_op`` threads.

    ``cores`` is the number of physical cores that the service may use. Each worker also has ``request_threads``, which
    mostly wait, and admits ``admitted_per_worker`` analyses, running or waiting.
    """

    cores: int
    workers: int
    analyses_per_worker: int
    intra_op: int
    request_threads: int
    admitted_per_worker: int

    @property
    def computing(self) -> int:
        """Number of threads that compute under full load."""
        return self.workers * self.analyses_per_worker * self.intra_op

    def facts(self) -> dict[str, Any]:
        """The plan for the log and for /health/ready."""
        return {**asdict(self), "computing": self.computing, "oversubscribed": self.computing > self.cores}


def thread_plan(settings: Settings) -> ThreadPlan:
    """The plan for these settings on this machine."""
    return ThreadPlan(
        cores=usable_cores(),
        workers=settings.gunicorn_workers,
        analyses_per_worker=settings.running_per_worker,
        intra_op=intra_op_threads(settings),
        request_threads=settings.gunicorn_threads,
        admitted_per_worker=settings.admitted_per_worker,
    )


def log_thread_plan(plan: ThreadPlan) -> None:
    """Log the plan, and a warning if it needs more cores than there are."""
    log_event(_LOG, "thread_plan", **plan.facts())
    if plan.computing > plan.cores:
        log_event(_LOG, "oversubscribed", level=logging.WARNING, message=_advice(plan))


def _advice(plan: ThreadPlan) -> str:
    at_once = max(1, plan.cores // plan.intra_op)
    better = f"MAX_WORKERS={at_once}" + (f" and GUNICORN_WORKERS={at_once}" if plan.workers > at_once else "")
    return (
        f"{plan.workers} workers × {plan.analyses_per_worker} analyses × {plan.intra_op} threads = {plan.computing} "
        f"threads on {plan.cores} cores. Each analysis is slower, and throughput does not increase. Set {better}."
    )


def intra_op_threads(settings: Settings) -> int:
    """Threads of one analysis: the setting, or by default the usable cores divided by the analyses at once, at least
    1."""
    at_once = settings.gunicorn_workers * settings.running_per_worker
    return settings.intra_op_threads or max(1, usable_cores() // at_once)


def thread_environment(settings: Settings) -> Mapping[str, str]:
    """Environment variables to set before the frameworks are imported."""
    threads = str(intra_op_threads(settings))
    return {
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        # By default, waiting OpenMP threads spin and take cores from working threads.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def usable_cores() -> int:
    """Number of physical cores that this service may use, by its CPU affinity and the quota of its control group."""
    cores = {_core_of(cpu) for cpu in os.sched_getaffinity(0)}
    return max(1, min([len(cores), *map(_quota, _own_cgroups())]))


def _core_of(cpu: int) -> tuple[str, str]:
    folder = _TOPOLOGY / f"cpu{cpu}" / "topology"
    try:
        return (folder / "physical_package_id").read_text(), (folder / "core_id").read_text()
    except OSError:  # no topology is visible: count each logical processor
        return ("", str(cpu))


def _own_cgroups() -> list[Path]:
    """This process's control group (version 2) and its parents. Each may have a quota; the smallest one applies."""
    try:
        named = [line.removeprefix("0::/") for line in _OWN_CGROUP.read_text().splitlines() if line.startswith("0::/")]
    except OSError:
        named = []
    own = _CGROUP.joinpath(*named)
    return [own, *(folder for folder in own.parents if folder.is_relative_to(_CGROUP))]


def _quota(cgroup: Path) -> int:
    """Cores that ``cgroup`` may use, rounded up. A large number if it has no limit."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
        return math.ceil(int(limit) / int(period))
    except (OSError, ValueError):
        return 1_000_000

"""How many threads compute one analysis, so that all analyses together use each physical core once."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from settings import Settings

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def intra_op_threads(settings: Settings) -> int:
    """Threads of one analysis: as set, otherwise the usable physical cores divided by MAX_WORKERS, at least 1."""
    return settings.intra_op_threads or max(1, usable_cores() // max(1, settings.max_workers))


def thread_environment(settings: Settings) -> Mapping[str, str]:
    """Variables that the frameworks read when they are loaded: they must be set before that."""
    threads = str(intra_op_threads(settings))
    return {
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        # A waiting OpenMP thread that spins takes the core from the one that works.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def usable_cores() -> int:
    """Physical cores that this process may use: its affinity, then its cgroup's quota."""
    cores = len({_core_of(cpu) for cpu in os.sched_getaffinity(0)})
    return max(1, min(cores, _quota(_CGROUP)))


def _core_of(cpu: int) -> tuple[str, str]:
    folder = _TOPOLOGY / f"cpu{cpu}" / "topology"
    try:
        return (folder / "physical_package_id").read_text(), (folder / "core_id").read_text()
    except OSError:  # no topology to be seen: each processor counts
        return ("", str(cpu))


def _quota(cgroup: Path) -> int:
    """Whole cores of a version 2 quota in ``cgroup``, rounded up; a large number where there is none."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
        return math.ceil(int(limit) / int(period))
    except (OSError, ValueError):
        return 1_000_000

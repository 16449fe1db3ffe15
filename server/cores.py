"""The processors that this service may use, as physical cores, and which of them a worker keeps to.

See docs/decisions/0013-thread-plan.md and 0017-workers-keep-to-cores.md.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")

#: the processors that this process could use before ``keep_to``
_all: frozenset[int] | None = None


def usable_cores() -> int:
    """Physical cores that this service may use: its affinity, then the quota of its control group."""
    return max(1, min([len(_cores()), *map(_quota, _own_cgroups())]))


def cpus_of_worker(number: int, workers: int, computing: int) -> frozenset[int] | None:
    """The processors of worker ``number`` of ``workers``, each of which has so many threads ``computing``.

    None where it is alone, where there are too few cores for each worker to have its own, and where the control group's
    quota is less than the cores, which others then use too.
    """
    cores = _cores()
    share = len(cores) // workers
    if workers == 1 or computing > share or usable_cores() < len(cores):
        return None
    first = number % workers * share
    return frozenset[int]().union(*cores[first : first + share])


def keep_to(cpus: frozenset[int]) -> None:
    """Run this process, and what it starts, on ``cpus`` alone. ``usable_cores`` stays that of the whole service."""
    global _all  # noqa: PLW0603 - what the system forgets
    _all = _all or _affinity()
    with suppress(OSError):  # a container may forbid it, and the service works without
        os.sched_setaffinity(0, cpus)


def service_cpus() -> frozenset[int]:
    """The processors of the whole service, also in a worker that keeps to some of them."""
    return _all or _affinity()


def _affinity() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0))


def _cores() -> list[frozenset[int]]:
    """The processors of each physical core, in the order of their numbers."""
    found: dict[tuple[str, str], set[int]] = {}
    for cpu in sorted(service_cpus()):
        found.setdefault(_core_of(cpu), set()).add(cpu)
    return [frozenset(cpus) for cpus in found.values()]


def _core_of(cpu: int) -> tuple[str, str]:
    folder = _TOPOLOGY / f"cpu{cpu}" / "topology"
    try:
        return (folder / "physical_package_id").read_text(), (folder / "core_id").read_text()
    except OSError:  # no topology to be seen: each processor counts
        return ("", str(cpu))


def _own_cgroups() -> list[Path]:
    """This process's version 2 control group and those above it: each may have a quota, and the least one counts."""
    try:
        named = [line.removeprefix("0::/") for line in _OWN_CGROUP.read_text().splitlines() if line.startswith("0::/")]
    except OSError:
        named = []
    own = _CGROUP.joinpath(*named)
    return [own, *(folder for folder in own.parents if folder.is_relative_to(_CGROUP))]


def _quota(cgroup: Path) -> int:
    """Whole cores that ``cgroup`` may use, rounded up; a large number where it sets no limit."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
        return math.ceil(int(limit) / int(period))
    except (OSError, ValueError):
        return 1_000_000

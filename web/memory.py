"""How much memory a process holds, as the kernel tells it. Nothing where there is no /proc."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """Bytes. ``proportional`` divides each shared page among its processes; None where the kernel does not say."""

    resident: int
    proportional: int | None


def memory_of(pid: int) -> Memory | None:
    """What process ``pid`` holds; None if there is no such process, or it may not be looked at."""
    folder = _PROC / str(pid)
    try:
        resident = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return Memory(resident, _proportional(folder / "smaps_rollup"))
    except OSError:
        return None


def _proportional(rollup: Path) -> int | None:
    try:
        found = _PSS.search(rollup.read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None

"""How much memory a process holds, from /proc. None where there is no /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path

from web.process import Memory

_PROC = Path("/proc")
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


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

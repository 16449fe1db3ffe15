"""Checks whether processes have ended, also after their parent has ended."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import psutil

_TIMEOUT_S = 10
_EVERY_S = 0.05


def still_alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """The processes that still run after some seconds. A killed process may need a moment to end."""
    left = list(processes)
    pause = threading.Event()
    for _ in range(round(_TIMEOUT_S / _EVERY_S)):
        left = [process for process in left if _alive(process)]
        if not left:
            break
        pause.wait(_EVERY_S)
    return left


def _alive(process: psutil.Process) -> bool:
    """Whether a process runs. A zombie has ended and only waits for its parent."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

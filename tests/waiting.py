"""Waiting for what another thread or process does, by asking again: never by sleeping for a guessed time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object], told: Callable[[], object] = lambda: "", limit_s: float = 120) -> None:
    """Ask again and again; fails with what is ``told`` after ``limit_s``."""
    end = time.monotonic() + limit_s
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < end, told()
        pause.wait(0.02)

"""How long each stage of a build was busy. Stages overlap, so their times add up to more than the build took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Stage:
    """``busy_s`` is the sum over all threads that worked at it."""

    photos: int = 0
    busy_s: float = 0.0


class Stages:
    """The clock of a build; may be used from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: dict[str, Stage] = {}
        self._started = time.perf_counter()

    @contextmanager
    def timed(self, name: str, photos: int = 1) -> Iterator[None]:
        """Count the time until the end of the block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, photos, time.perf_counter() - began)

    def add(self, name: str, photos: int, busy_s: float) -> None:
        with self._lock:
            stage = self._stages.setdefault(name, Stage())
            stage.photos += photos
            stage.busy_s += busy_s

    def __str__(self) -> str:
        """One line: the whole time, and each stage's share of one thread's time, 100% for each thread always busy."""
        with self._lock:
            elapsed = time.perf_counter() - self._started
            shares = [f"{name} {100 * stage.busy_s / elapsed:.0f}%" for name, stage in self._stages.items()]
        return f"{elapsed:.1f} s; busy: {', '.join(shares)}" if shares else f"{elapsed:.1f} s"

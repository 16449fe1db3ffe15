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

    def counts(self) -> dict[str, tuple[int, float]]:
        """Stage → its photos, and its busy seconds: what ``add`` takes."""
        with self._lock:
            return {name: (stage.photos, stage.busy_s) for name, stage in self._stages.items()}

    def __str__(self) -> str:
        """A line a stage: its photos, its busy seconds, and how many threads' whole time that is; then the build's."""
        with self._lock:
            elapsed = time.perf_counter() - self._started
            lines = [f"  {name:<8}{_told(stage, elapsed)}" for name, stage in self._stages.items()]
        return "\n".join([*lines, f"  {'in all':<8}{elapsed:.1f} s"])


def _told(stage: Stage, elapsed: float) -> str:
    of_photos = f" for {stage.photos:,} photos" if stage.photos else ""
    return f"{stage.busy_s:.1f} s busy{of_photos} ({stage.busy_s / max(1e-9, elapsed):.2f} threads)"

"""What a long command shows: how far it has come, and how long each stage of a build was busy."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_BAR = 30


class ProgressLine:
    """Shows (stage, done, total) with the rate and the time left.

    On a terminal it is one changing line, elsewhere a plain line for every tenth part.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._stage, self._started, self._first, self._tenth = "", 0.0, 0, -1

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            # Nobody knows how long the part took that was done before the first call: it does not count.
            self._stage, self._started, self._first, self._tenth = stage, time.monotonic(), done, -1
        text = f"{stage}: {done}/{total}{self._pace(done, total)}"
        if self._terminal:
            filled = _BAR * done // max(1, total)
            end = "\n" if done >= total else ""
            self._stream.write(f"\r[{'#' * filled:{_BAR}}] {text}\033[K{end}")
        elif (tenth := 10 * done // max(1, total)) > self._tenth:
            self._tenth = tenth
            self._stream.write(text + "\n")
        self._stream.flush()

    def _pace(self, done: int, total: int) -> str:
        if done <= self._first:
            return ""
        rate = (done - self._first) / max(1e-6, time.monotonic() - self._started)
        return f", {rate:.1f}/s, {(total - done) / rate:.0f} s left"


class Stages:
    """The stages of a build: how many photos each had and how many seconds it was busy, summed over all threads.

    Stages overlap, so their times add up to more than the build took. Several threads may use it at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._started = time.perf_counter()

    @contextmanager
    def timed(self, name: str, photos: int = 1) -> Iterator[None]:
        """Count the time of a block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, photos, time.perf_counter() - began)

    def add(self, name: str, photos: int, busy_s: float) -> None:
        with self._lock:
            before, busy_before_s = self._counts.get(name, (0, 0.0))
            self._counts[name] = before + photos, busy_before_s + busy_s

    def counts(self) -> dict[str, tuple[int, float]]:
        """Stage → (photos, busy seconds): what ``add`` takes."""
        with self._lock:
            return dict(self._counts)

    def __str__(self) -> str:
        """A line a stage: its busy seconds, its photos, and to how many busy threads that amounts; then the build."""
        elapsed = time.perf_counter() - self._started
        lines = []
        for name, (photos, busy_s) in self.counts().items():
            of_photos = f" for {photos:,} photos" if photos else ""
            lines.append(f"  {name:<8}{busy_s:.1f} s busy{of_photos} ({busy_s / max(1e-9, elapsed):.2f} threads)")
        return "\n".join([*lines, f"  {'in all':<8}{elapsed:.1f} s"])

"""The progress display of long commands, and the busy time of each stage of a build."""

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

    On a terminal it updates one line. Elsewhere it writes a line after each tenth of the work.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._stage, self._started, self._first, self._tenth = "", 0.0, 0, -1

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            # Work done before the first call, by an earlier run, does not count for the rate.
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
    """Counts the photos and the busy seconds of each stage of a build, summed over all threads. Thread-safe.

    Stages overlap, so the sum of their times exceeds the duration of the build.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}
        self._started = time.perf_counter()

    @contextmanager
    def timed(self, name: str, photos: int = 1) -> Iterator[None]:
        """Add the time of a block to a stage."""
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
        """Stage → (photos, busy seconds)."""
        with self._lock:
            return dict(self._counts)

    def __str__(self) -> str:
        """One line per stage: busy seconds, photos, mean number of busy threads. The last line is the duration."""
        elapsed = time.perf_counter() - self._started
        lines = []
        for name, (photos, busy_s) in self.counts().items():
            of_photos = f" for {photos:,} photos" if photos else ""
            lines.append(f"  {name:<8}{busy_s:.1f} s busy{of_photos} ({busy_s / max(1e-9, elapsed):.2f} threads)")
        return "\n".join([*lines, f"  {'in all':<8}{elapsed:.1f} s"])

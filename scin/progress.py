"""How far a long command has come: one changing line on a terminal, a plain line every tenth part elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_BAR = 30


class ProgressLine:
    """Shows (stage, done, total) with the rate and the time left."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._stage, self._started, self._first, self._tenth = "", 0.0, 0, -1

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            # What was done when the stage was first heard of took an unknown time: it does not count.
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

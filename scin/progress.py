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
        self._stage, self._started, self._tenth = "", 0.0, -1

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._stage, self._started, self._tenth = stage, time.monotonic(), -1
        elapsed = max(1e-6, time.monotonic() - self._started)
        rate = done / elapsed
        left = (total - done) / rate if rate else 0.0
        text = f"{stage}: {done}/{total}, {rate:.1f}/s, {left:.0f} s left"
        if self._terminal:
            filled = _BAR * done // max(1, total)
            end = "\n" if done >= total else ""
            self._stream.write(f"\r[{'#' * filled:{_BAR}}] {text}\033[K{end}")
        elif (tenth := 10 * done // max(1, total)) > self._tenth:
            self._tenth = tenth
            self._stream.write(text + "\n")
        self._stream.flush()

"""Tells what happens, each step with its time."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Narrator:
    """Lines of the form ``  12.3 s  text``, counted from the beginning. May be used from several threads."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """One line (or several, indented alike)."""
        elapsed = time.monotonic() - self._began
        with self._lock:
            for line in text.splitlines() or [""]:
                self._stream.write(f"{elapsed:7.1f} s  {line}\n")
            self._stream.flush()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Say how long the body took, or that it failed; the error goes on."""
        began = time.monotonic()
        try:
            yield
        except BaseException:
            self.say(f"{name}: FAILED after {time.monotonic() - began:.1f} s")
            raise
        self.say(f"{name}: {time.monotonic() - began:.1f} s")

"""Errors and progress output of a rehearsal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class RehearsalError(Exception):
    """The rehearsal cannot continue, for example because a tool is missing. The message is one line with the remedy."""


class DeployError(Exception):
    """The deployment failed, as it would on the platform. The message is one line with the reason and the remedy."""


class CheckError(Exception):
    """A check of the deployed service failed."""


class Progress:
    """Prints lines that begin with the elapsed seconds. Thread-safe."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def report(self, text: str) -> None:
        """Print one or more lines."""
        elapsed = time.monotonic() - self._start
        with self._lock:
            for line in text.splitlines() or [""]:
                self._stream.write(f"{elapsed:7.1f} s  {line}\n")
            self._stream.flush()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Print how long the block took or that it failed. Errors propagate."""
        start = time.monotonic()
        try:
            yield
        except BaseException:
            self.report(f"{name}: FAILED after {time.monotonic() - start:.1f} s")
            raise
        self.report(f"{name}: {time.monotonic() - start:.1f} s")

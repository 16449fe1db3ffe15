"""One arbiter and its workers: what they share, and which worker has which number."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Protocol

from server import readiness
from server.balance import ConnectionCounts, Share


class Worker(Protocol):
    """What is kept of a worker here."""

    pid: int
    number: int
    share: Share | None


class Instance:
    """Made by the arbiter before it forks the first worker. Each worker inherits it."""

    def __init__(self, workers: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dermserve-"))
        #: in a worker's process: its number
        self.number = 0
        # Twice as many as serve at once: at a reload the old ones are still there.
        self._counts = ConnectionCounts(2 * workers)

    def enrol(self, worker: Worker, others: Iterable[Worker]) -> None:
        """Give ``worker`` the lowest number that is free, so that it goes on with the counts of a dead one."""
        taken = {other.number for other in others}
        worker.number = next(number for number in count() if number not in taken)
        worker.share = self._counts.share(worker.number)

    def forget(self, worker: Worker) -> None:
        """A dead worker is not ready, and holds no connection."""
        self._counts.forget(worker.number)
        readiness.forget(self.folder, worker.pid)

    def remove(self) -> None:
        """Leave nothing on the disk."""
        shutil.rmtree(self.folder, ignore_errors=True)


# gunicorn runs its configuration again at a reload (HUP), in the same process: this outlives it.
_current: Instance | None = None


def begin(workers: int) -> None:
    """To be called once, by the arbiter, before it forks."""
    global _current  # noqa: PLW0603 - gunicorn's hooks have no other memory
    _current = Instance(workers)


def current() -> Instance | None:
    """The instance that this process belongs to. None before ``begin``, and under another server than gunicorn."""
    return _current

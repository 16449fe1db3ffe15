"""One arbiter and its workers: what they share, and what a worker tells the application of its process."""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from server.memory import memory_of
from server.threads import thread_plan
from settings import Settings
from web import process
from web.process import Memory, Process, State

#: more workers than ever live at once: twice the most that settings allow, as the old ones are still there at a reload
_ROWS = 128


class _Row(ctypes.Structure):
    """What one worker writes of itself. A row of zeros stands for one that does not live.

    ``accepting``: it can analyse, and is not on its way out; ``connections`` are its open ones.
    """

    _fields_ = tuple((name, ctypes.c_int) for name in ("pid", "ready", "accepting", "connections"))
    pid: int
    ready: int
    accepting: int
    connections: int


class _Table(ctypes.Structure):
    _fields_ = (("stopping", ctypes.c_int), ("was_ready", ctypes.c_int), ("workers", _Row * _ROWS))
    stopping: int
    was_ready: int
    workers: ctypes.Array[_Row]


class Instance:
    """Memory that the arbiter and its ``expected`` workers share, and a folder for their metrics.

    It is web.process.Readiness of each of them. Make it in the process that forks. Each number is written by one
    process, and none waits for a lock, which could die with its holder.
    """

    def __init__(self, expected: int = 1, folder: Path | None = None) -> None:
        self.folder = folder
        #: of the worker that is forked next; so in a worker's process, its own
        self.number = 0
        self._expected = expected
        self._table = _Table.from_buffer(mmap.mmap(-1, ctypes.sizeof(_Table)))
        # The worker that reads this byte announces the instance; all others read the end.
        self._announcement, write_end = os.pipe()
        os.write(write_end, b"x")
        os.close(write_end)

    def enrol(self, worker: Any, others: Iterable[Any]) -> None:
        """Give gunicorn's ``worker`` the lowest number that is free, so that it goes on with a dead one's metrics."""
        taken = {other.number for other in others}
        self.number = worker.number = next(number for number in count() if number not in taken)

    def forget(self, worker: Any) -> None:
        """A dead worker is not ready."""
        self._table.workers[worker.number] = _Row()

    def mark_stopping(self) -> None:
        """Make known that the whole instance stops. Safe in a signal handler."""
        self._table.stopping = True

    def is_stopping(self) -> bool:
        """Whether ``mark_stopping`` was called."""
        return bool(self._table.stopping)

    def publish(self, state: State) -> bool:
        """Make this worker's state known. True if this makes the instance ready for the first time."""
        row = self._table.workers[self.number]
        row.pid, row.ready = os.getpid(), state is State.READY
        if self._count_ready() < self._expected:
            return False
        self._table.was_ready = True
        return bool(os.read(self._announcement, 1))

    def was_ready(self) -> bool:
        """Whether the instance has been ready at any time: a worker that loads again then holds its requests."""
        return bool(self._table.was_ready)

    def instance(self) -> process.Instance:
        """Ready when every expected worker is; later on, while at least one is and no stop has been asked for."""
        ready, stopping = self._count_ready(), self.is_stopping()
        needed = 1 if self.was_ready() else self._expected
        return process.Instance(ready >= needed and not stopping, ready, self._expected, stopping)

    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return [row.pid for row in self._table.workers if row.pid]

    def report_connections(self, connections: int, *, accepting: bool) -> None:
        """Let the other workers see how many connections this one has."""
        row = self._table.workers[self.number]
        row.accepting, row.connections = accepting, connections

    def sibling_has_fewer(self) -> bool:
        """Whether a new connection is better left to another worker, as it has fewer or this one cannot analyse."""
        own = self._table.workers[self.number]
        most = own.connections if own.accepting else math.inf
        return any(row.accepting and row.connections < most for row in self._table.workers)

    def remove(self) -> None:
        """Leave nothing on the disk."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _count_ready(self) -> int:
        return sum(row.ready for row in self._table.workers)


# gunicorn runs its configuration again at a reload (HUP), in the same process: this outlives it.
_current: Instance | None = None


def begin(workers: int) -> Instance:
    """Make the instance. To be called once, by the arbiter, before it forks."""
    global _current  # noqa: PLW0603 - gunicorn's hooks have no other memory
    _current = Instance(workers, Path(tempfile.mkdtemp(prefix="dermserve-")))
    return _current


def current() -> Instance | None:
    """The instance that this process belongs to. None before ``begin``, and under another server than gunicorn."""
    return _current


def this_process(settings: Settings, instance: Instance | None = None) -> Process:
    """The process of a worker of gunicorn. Under any other server it is an instance by itself."""
    own, plan = instance or _current or Instance(), thread_plan(settings)

    def memory() -> Mapping[int, Memory]:
        return {pid: held for pid in own.pids() if (held := memory_of(pid)) is not None}

    return Process(
        number=own.number,
        folder=own.folder,
        readiness=own,
        intra_op_threads=plan.intra_op,
        thread_plan=plan.facts(),
        memory=memory,
    )

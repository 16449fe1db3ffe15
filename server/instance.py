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
from typing import Protocol

from server.memory import memory_of
from server.threads import thread_plan
from settings import Settings
from web import process
from web.process import Memory, Process, State

#: more workers than ever live at once: twice the most that settings allow, as the old ones are still there at a reload
_ROWS = 128


class Worker(Protocol):
    """What this module needs of gunicorn's worker."""

    number: int


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
    """Memory that the arbiter and its workers share, and a folder for their metrics.

    Make it in the process that forks. Each number is written by one process, and none waits for a lock, which could die
    with its holder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        #: of the worker that is forked next; so in a worker's process, its own
        self.number = 0
        self._table = _Table.from_buffer(mmap.mmap(-1, ctypes.sizeof(_Table)))
        # The worker that reads this byte announces the instance; all others read the end.
        self._announcement, write_end = os.pipe()
        os.write(write_end, b"x")
        os.close(write_end)

    def enrol(self, worker: Worker, others: Iterable[Worker]) -> None:
        """Give ``worker`` the lowest number that is free, so that it goes on with the metrics of a dead one."""
        taken = {other.number for other in others}
        self.number = worker.number = next(number for number in count() if number not in taken)

    def forget(self, worker: Worker) -> None:
        """A dead worker is not ready."""
        self._table.workers[worker.number] = _Row()

    def mark_stopping(self) -> None:
        """Make known that the whole instance stops. Safe in a signal handler."""
        self._table.stopping = True

    def is_stopping(self) -> bool:
        """Whether ``mark_stopping`` was called."""
        return bool(self._table.stopping)

    def was_ready(self) -> bool:
        """Whether the instance has been ready: a worker that loads again then holds its requests."""
        return bool(self._table.was_ready)

    def workers_ready(self) -> int:
        """How many workers can analyse."""
        return sum(row.ready for row in self._table.workers)

    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return [row.pid for row in self._table.workers if row.pid]

    def publish(self, *, ready: bool, expected: int) -> bool:
        """Make known whether this worker can analyse. True if this makes the instance ready for the first time."""
        row = self._table.workers[self.number]
        row.pid, row.ready = os.getpid(), ready
        if self.workers_ready() < expected:
            return False
        self._table.was_ready = True
        return bool(os.read(self._announcement, 1))

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


class SharedReadiness:
    """web.process.Readiness of one worker, among ``expected`` ones of ``shared``."""

    def __init__(self, shared: Instance, expected: int) -> None:
        self._shared = shared
        self._expected = expected

    def publish(self, state: State) -> bool:
        """Make this worker's state known. True if this makes the instance ready for the first time."""
        return self._shared.publish(ready=state is State.READY, expected=self._expected)

    def was_ready(self) -> bool:
        """Whether the instance has been ready at any time."""
        return self._shared.was_ready()

    def instance(self) -> process.Instance:
        """Ready when every expected worker is; later on, while at least one is and no stop has been asked for."""
        count, stopping = self._shared.workers_ready(), self._shared.is_stopping()
        needed = 1 if self.was_ready() else self._expected
        return process.Instance(count >= needed and not stopping, count, self._expected, stopping)


# gunicorn runs its configuration again at a reload (HUP), in the same process: this outlives it.
_current: Instance | None = None


def begin() -> Instance:
    """Make the instance. To be called once, by the arbiter, before it forks."""
    global _current  # noqa: PLW0603 - gunicorn's hooks have no other memory
    _current = Instance(Path(tempfile.mkdtemp(prefix="dermserve-")))
    return _current


def current() -> Instance | None:
    """The instance that this process belongs to. None before ``begin``, and under another server than gunicorn."""
    return _current


def this_process(settings: Settings) -> Process:
    """A worker of gunicorn as gunicorn.conf.py has made it. Under any other server the process stands for itself."""
    return process_of(settings, _current, settings.gunicorn_workers) if _current else process_of(settings)


def process_of(settings: Settings, shared: Instance | None = None, expected: int = 1) -> Process:
    """The process of a worker, among ``expected`` ones of ``shared``; without that, one that stands for itself."""
    shared = shared or Instance()
    plan = thread_plan(settings)

    def memory() -> Mapping[int, Memory]:
        return {pid: held for pid in shared.pids() if (held := memory_of(pid)) is not None}

    return Process(
        number=shared.number,
        folder=shared.folder,
        readiness=SharedReadiness(shared, expected),
        intra_op_threads=plan.intra_op,
        thread_plan=plan.facts(),
        memory=memory,
    )

"""The memory that gunicorn's arbiter and its workers share, and the description of a worker for the application."""

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
from settings import Settings, load_or_exit
from web import process
from web.process import Memory, Process, State

#: twice the largest GUNICORN_WORKERS, because at a reload the old workers and the new ones run together
_ROWS = 128


class _Row(ctypes.Structure):
    """The state that one worker publishes. All fields are zero if there is no such worker.

    ``age`` is its place among all workers that were started, from 1. ``settled`` is 1 if it is
    ready, or needs no models. ``accepting`` is 1 if the worker can analyse and is
    not stopping. ``connections`` counts its open connections.
    """

    _fields_ = tuple((name, ctypes.c_int) for name in ("age", "settled", "pid", "ready", "accepting", "connections"))
    age: int
    settled: int
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

    Implements web.process.Readiness. Create it before the fork. Each number has one writer, so there is no lock, which
    a killed process could leave locked.
    """

    def __init__(
        self, expected: int = 1, folder: Path | None = None, generation: process.Generation | None = None
    ) -> None:
        self.folder = folder
        #: what the workers that are forked next serve; the arbiter changes it at a reload
        self.generation = generation
        self._generations: dict[int, process.Generation | None] = {}
        #: In the arbiter: the number of the worker that is forked next. In a worker: its own number.
        self.number = 0
        self._expected = expected
        self._table = _Table.from_buffer(mmap.mmap(-1, ctypes.sizeof(_Table)))
        # Exactly one worker reads this byte and announces the instance. The others read the end of the file.
        self._announcement, write_end = os.pipe()
        os.write(write_end, b"x")
        os.close(write_end)

    def enrol(self, worker: Any, others: Iterable[Any]) -> None:
        """Give gunicorn's ``worker`` the lowest free number, so that it continues the metrics files of a dead one."""
        taken = {other.number for other in others}
        self.number = worker.number = next(number for number in count() if number not in taken)
        self._table.workers[self.number] = _Row(age=worker.age)
        self._generations[self.number] = self.generation

    def forget(self, worker: Any) -> None:
        """Clear the state of a dead worker, and release its generation if it was the last worker of an old one."""
        self._table.workers[worker.number] = _Row()
        generation = self._generations.pop(worker.number, None)
        if generation is not None and all(generation is not one for one in (self.generation, *self._in_use())):
            generation.release()

    def is_replaced(self) -> bool:
        """Whether there are workers that started later than this one, and all of them can take over."""
        own = self._table.workers[self.number].age
        newer = [row.settled for row in self._table.workers if row.age > own]
        return bool(newer) and all(newer)

    def mark_stopping(self) -> None:
        """Record that the whole instance is stopping. Safe in a signal handler."""
        self._table.stopping = True

    def is_stopping(self) -> bool:
        """Whether ``mark_stopping`` was called."""
        return bool(self._table.stopping)

    def publish(self, state: State) -> bool:
        """Publish this worker's state. True if this makes the instance ready for the first time."""
        row = self._table.workers[self.number]
        row.pid, row.ready = os.getpid(), state is State.READY
        row.settled = state in (State.READY, State.DISABLED)
        if self._count_ready() < self._expected:
            return False
        self._table.was_ready = True
        return bool(os.read(self._announcement, 1))

    def was_ready(self) -> bool:
        """Whether the instance has ever been ready. If so, requests to a worker that is loading wait."""
        return bool(self._table.was_ready)

    def instance(self) -> process.Instance:
        """The instance becomes ready when all expected workers are. It stays ready while one is, until it stops."""
        ready, stopping = self._count_ready(), self.is_stopping()
        needed = 1 if self.was_ready() else self._expected
        return process.Instance(ready >= needed and not stopping, ready, self._expected, stopping)

    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return [row.pid for row in self._table.workers if row.pid]

    def report_connections(self, connections: int, *, accepting: bool) -> None:
        """Publish this worker's number of connections."""
        row = self._table.workers[self.number]
        row.accepting, row.connections = accepting, connections

    def sibling_has_fewer(self) -> bool:
        """Whether another worker should take a new connection: it has fewer, or this worker cannot analyse."""
        own = self._table.workers[self.number]
        most = own.connections if own.accepting else math.inf
        return any(row.accepting and row.connections < most for row in self._table.workers)

    def remove(self) -> None:
        """Delete the folder and release what was served."""
        for generation in {id(one): one for one in (self.generation, *self._in_use()) if one is not None}.values():
            generation.release()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _in_use(self) -> Iterable[process.Generation | None]:
        return self._generations.values()

    def _count_ready(self) -> int:
        return sum(row.ready for row in self._table.workers)


# Kept here and not in gunicorn.conf.py, because gunicorn executes that file again at a reload (HUP).
_current: Instance | None = None


def begin(workers: int, generation: process.Generation | None = None) -> Instance:
    """Create the instance, whose workers serve ``generation``. The arbiter calls this once, before it forks."""
    global _current  # noqa: PLW0603 - gunicorn's hooks have no other place for state
    _current = Instance(workers, Path(tempfile.mkdtemp(prefix="dermserve-")), generation)
    return _current


def current() -> Instance | None:
    """The instance of this process. None before ``begin``, and under a server other than gunicorn."""
    return _current


def settings_of_this_process() -> Settings:
    """The settings with the index that the arbiter chose. Under a server other than gunicorn, those of the
    environment. Bad settings end the process with status 2."""
    generation = _current.generation if _current is not None else None
    return load_or_exit() if generation is None else generation.settings


def this_process(settings: Settings, instance: Instance | None = None) -> Process:
    """The description of this worker process. Under a server other than gunicorn, one process is a whole instance."""
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

"""Whether the whole instance can analyse. Workers tell each other through small files in a folder they share."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from pathlib import Path

from web.logs import log_event
from web.process import Instance, State

_LOG = logging.getLogger("dermserve.readiness")
_MARKER = "has-been-ready"
_STOPPING = "stopping"
_PREFIX = "worker-"


class SharedReadiness:
    """web.process.Readiness of one worker, among ``expected`` ones that share ``folder``."""

    def __init__(self, folder: Path, expected: int) -> None:
        self._folder = folder
        self._expected = expected

    def publish(self, state: State) -> bool:
        """Make this worker's state known. True if this made the instance ready for the first time.

        On a full disk the worker does not count as ready, but answers all the same.
        """
        try:
            self._write(state)
            return self._count() >= self._expected and self._mark_ready()
        except OSError as error:
            log_event(_LOG, "state_not_published", level=logging.ERROR, state=state, exc_info=error)
            return False

    def was_ready(self) -> bool:
        """Whether the instance has been ready: a worker that loads again then holds its requests."""
        return (self._folder / _MARKER).exists()

    def instance(self) -> Instance:
        """Ready when every expected worker is; later on, while at least one is and no stop has been asked for."""
        count, stopping = self._count(), is_stopping(self._folder)
        needed = 1 if self.was_ready() else self._expected
        return Instance(count >= needed and not stopping, count, self._expected, stopping)

    def pids(self) -> list[int]:
        """The process ids of this instance's workers."""
        return sorted(int(path.stem.removeprefix(_PREFIX)) for path in self._folder.glob(f"{_PREFIX}*.json"))

    def _write(self, state: State) -> None:
        target = _file_of(self._folder, os.getpid())
        temporary = target.with_suffix(".new")
        temporary.write_text(json.dumps({"state": state}))
        temporary.replace(target)

    def _count(self) -> int:
        return sum(_state_in(path) == State.READY for path in self._folder.glob(f"{_PREFIX}*.json"))

    def _mark_ready(self) -> bool:
        try:
            (self._folder / _MARKER).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class OwnReadiness:
    """web.process.Readiness of a process that is the whole instance."""

    def __init__(self) -> None:
        self._ready = self._was_ready = False

    def publish(self, state: State) -> bool:
        """Take this process's state. True if it is ready for the first time."""
        is_first = state is State.READY and not self._was_ready
        self._ready = state is State.READY
        self._was_ready |= self._ready
        return is_first

    def was_ready(self) -> bool:
        """Whether this process has been ready."""
        return self._was_ready

    def instance(self) -> Instance:
        """Ready when this process is."""
        return Instance(self._ready, int(self._ready), 1)

    def pids(self) -> list[int]:
        """This process's id."""
        return [os.getpid()]


def mark_stopping(folder: Path) -> None:
    """Make known that the whole instance stops. Safe in a signal handler; on a disk without room nothing is known."""
    with suppress(OSError):
        (folder / _STOPPING).touch()


def is_stopping(folder: Path) -> bool:
    """Whether ``mark_stopping`` was called."""
    return (folder / _STOPPING).exists()


def forget(folder: Path, pid: int) -> None:
    """Remove a dead worker's state."""
    _file_of(folder, pid).unlink(missing_ok=True)


def _file_of(folder: Path, pid: int) -> Path:
    return folder / f"{_PREFIX}{pid}.json"


def _state_in(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["state"])
    except FileNotFoundError:  # its worker has just died
        return None

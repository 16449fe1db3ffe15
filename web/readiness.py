"""Whether the whole instance can analyse. Workers tell each other through small files in a folder they share."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from web.logs import log_event

_LOG = logging.getLogger("dermserve.readiness")
_MARKER = "has-been-ready"
_STOPPING = "stopping"
_PREFIX = "worker-"


class State(StrEnum):
    """Where one worker stands."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Instance:
    """All workers together. One that stops is not ready, although it answers what still reaches it."""

    ready: bool
    workers_ready: int
    workers_expected: int
    stopping: bool = False


class Readiness:
    """This worker's place among its siblings. Without a shared folder it stands for itself."""

    def __init__(self, run_dir: Path | None, expected: int) -> None:
        self._run_dir = run_dir
        self._expected = expected if run_dir is not None else 1
        self._own = State.STARTING
        self._was_ready = False

    def publish(self, state: State) -> bool:
        """Make this worker's state known. True if this made the instance ready for the first time.

        On a full disk the worker does not count as ready, but answers all the same.
        """
        self._own = state
        try:
            if self._run_dir is not None:
                self._write(self._run_dir, state)
            return self._count() >= self._expected and self._mark()
        except OSError as error:
            log_event(_LOG, "state_not_published", level=logging.ERROR, state=state, exc_info=error)
            return False

    def _write(self, run_dir: Path, state: State) -> None:
        target = _file_of(run_dir, os.getpid())
        temporary = target.with_suffix(".new")
        temporary.write_text(json.dumps({"state": state}))
        temporary.replace(target)

    def was_ready(self) -> bool:
        """Whether the instance has been ready: a worker that loads again then holds its requests."""
        return self._was_ready if self._run_dir is None else (self._run_dir / _MARKER).exists()

    def instance(self) -> Instance:
        """Ready when every expected worker is; later on, while at least one is and no stop has been asked for."""
        count, stopping = self._count(), self.stopping()
        needed = 1 if self.was_ready() else self._expected
        return Instance(count >= needed and not stopping, count, self._expected, stopping)

    def stopping(self) -> bool:
        """Whether the whole instance has been asked to stop."""
        return self._run_dir is not None and (self._run_dir / _STOPPING).exists()

    def pids(self) -> list[int]:
        """The process ids of this instance's workers."""
        if self._run_dir is None:
            return [os.getpid()]
        return sorted(int(path.stem.removeprefix(_PREFIX)) for path in self._run_dir.glob(f"{_PREFIX}*.json"))

    def _count(self) -> int:
        if self._run_dir is None:
            return int(self._own is State.READY)
        return sum(_state_in(path) == State.READY for path in self._run_dir.glob(f"{_PREFIX}*.json"))

    def _mark(self) -> bool:
        if self._run_dir is None:
            first, self._was_ready = not self._was_ready, True
            return first
        try:
            (self._run_dir / _MARKER).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def mark_stopping(run_dir: Path) -> None:
    """Make known that the whole instance stops. Safe in a signal handler; on a disk without room nothing is known."""
    with suppress(OSError):
        (run_dir / _STOPPING).touch()


def forget(run_dir: Path, pid: int) -> None:
    """Remove a dead worker's state."""
    _file_of(run_dir, pid).unlink(missing_ok=True)


def _file_of(run_dir: Path, pid: int) -> Path:
    return run_dir / f"{_PREFIX}{pid}.json"


def _state_in(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["state"])
    except FileNotFoundError:  # its worker has just died
        return None

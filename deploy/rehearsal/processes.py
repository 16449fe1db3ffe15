"""Every process that a rehearsal starts, each in a group of its own, so that all of them can be ended by id."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.rehearsal.errors import RehearsalError

_STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Finished:
    """A command that ran to its end: exit status, and all it wrote, in order."""

    status: int
    output: str

    @property
    def last_line(self) -> str:
        """The last line that says anything."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else "no reason given"


class Processes:
    """The processes of one rehearsal. After ``end_all`` nothing more can be started."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._closed = False

    def start(
        self, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a server; what it writes is appended to ``log``."""
        with log.open("ab") as sink, self._lock:
            if self._closed:
                raise RehearsalError("the rehearsal is being ended")
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.append(process)
        return process

    def run(
        self, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path, limit_s: float = 1800
    ) -> Finished:
        """Run a command to its end. One that takes longer than ``limit_s`` is ended and counts as failed (124)."""
        begin = log.stat().st_size if log.exists() else 0
        process = self.start(command, cwd=cwd, env=env, log=log)
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            status = 124
        finally:
            self.end(process)
        with log.open("rb") as written:
            written.seek(begin)
            return Finished(status, written.read().decode("utf-8", "replace"))

    def end(
        self, process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM, timeout_s: float = _STOP_TIMEOUT_S
    ) -> bool:
        """Ask ``process`` to stop; kill what is left of its group after ``timeout_s``. True if it went by itself."""
        if process.poll() is None:
            with suppress(ProcessLookupError):
                process.send_signal(how)
        try:
            process.wait(timeout_s)
            stopped = True
        except subprocess.TimeoutExpired:
            stopped = False
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with self._lock, suppress(ValueError):
            self._running.remove(process)
        return stopped

    def end_all(self) -> None:
        """End everything, the newest first."""
        with self._lock:
            self._closed = True
            left = list(reversed(self._running))
        for process in left:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                process.terminate()
        for process in left:
            self.end(process, timeout_s=3.0)

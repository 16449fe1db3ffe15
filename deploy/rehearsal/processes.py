"""Starts and ends processes, and allocates loopback ports."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.rehearsal.progress import RehearsalError

LOOPBACK = "127.0.0.1"
_STOP_TIMEOUT_S = 15.0


#: below the ports that Linux gives to programs that ask for any, so that none of them gets a port before its use
_ANY = range(20_000, 32_000)


class Ports:
    """Allocates free ports of 127.0.0.1: consecutive ones from ``base``, or any."""

    def __init__(self, base: int | None = None) -> None:
        self._consecutive = itertools.count(base) if base else None
        self._taken: set[int] = set()

    def take(self) -> int:
        """A port that was not taken before. Raises RehearsalError if the next consecutive port is in use."""
        while True:
            wanted = next(self._consecutive) if self._consecutive else random.choice(_ANY)  # noqa: S311 - no secret
            if wanted in self._taken:
                continue
            self._taken.add(wanted)
            try:
                socket.create_server((LOOPBACK, wanted)).close()
            except OSError as error:
                if self._consecutive:
                    raise RehearsalError(f"port {wanted} is in use; choose another --port-base") from error
            else:
                return wanted


@dataclass(frozen=True)
class CommandResult:
    """Exit status and output (stdout and stderr in order) of a command."""

    status: int
    output: str

    @property
    def last_line(self) -> str:
        """The last line that is not empty."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else "no output"


class Processes:
    """The processes of one rehearsal, each in its own process group. After ``end_all``, ``start`` fails."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._closed = False

    def start(
        self, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a server. Its output is appended to ``log``."""
        with log.open("ab") as sink, self._lock:
            if self._closed:
                raise RehearsalError("the rehearsal is ending")
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
    ) -> CommandResult:
        """Run a command. After ``limit_s`` it is ended and its exit status is 124."""
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
            return CommandResult(status, written.read().decode("utf-8", "replace"))

    def end(
        self,
        process: subprocess.Popen[bytes],
        stop_signal: signal.Signals = signal.SIGTERM,
        timeout_s: float = _STOP_TIMEOUT_S,
    ) -> bool:
        """Signal ``process``, and kill its group after ``timeout_s``. Returns whether it stopped by itself."""
        if process.poll() is None:
            with suppress(ProcessLookupError):
                process.send_signal(stop_signal)
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
        """End all processes, the newest first."""
        with self._lock:
            self._closed = True
            running = list(reversed(self._running))
        for process in running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                process.terminate()
        for process in running:
            self.end(process, timeout_s=3.0)

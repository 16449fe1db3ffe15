"""Servers as groups of processes: started, waited for, looked at and ended as a whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from server.memory import memory_of

_READY_S = 180.0
_STOP_S = 15.0
_IDLE_CORES = 0.1
_LOOK_S = 0.5


class ServerError(Exception):
    """A server did not do what the comparison needs; the message says which and where its output is."""


class ProcessGroup:
    """A command in a session of its own, with everything that it starts."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, *, pipe: bool = False
    ) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        with log.open("w") as out:
            self.process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe else out,
                stderr=out,
                text=True,
                start_new_session=True,
            )

    def members(self) -> list[psutil.Process]:
        """All processes of the session, those that have lost their parent included, and all descendants.

        BentoML's workers have sessions of their own.
        """
        found = {process for process in psutil.process_iter() if _session(process.pid) == self.process.pid}
        with suppress(psutil.NoSuchProcess):
            found.update(psutil.Process(self.process.pid).children(recursive=True))
        return sorted(found, key=lambda process: process.pid)

    def cpu_seconds(self) -> float:
        """CPU time of all members, and of children that the first one has outlived."""
        total = 0.0
        for process in self.members():
            try:
                used = process.cpu_times()
            except psutil.Error:
                continue
            total += used.user + used.system
            if process.pid == self.process.pid:
                total += used.children_user + used.children_system
        return total

    def pss_bytes(self) -> int:
        """Memory of all members, each shared page counted once."""
        found = [memory_of(process.pid) for process in self.members()]
        return sum(memory.proportional or 0 for memory in found if memory)

    def wait_ready(self, url: str) -> float:
        """Seconds from the start to the first 200 of ``url``. Raises ServerError."""
        while time.monotonic() - self.started < _READY_S:
            if self.process.poll() is not None:
                raise ServerError(f"ended with status {self.process.returncode} while it started: see {self.log}")
            if answers(url):
                return time.monotonic() - self.started
            time.sleep(0.05)
        raise ServerError(f"not ready within {_READY_S:g} s: see {self.log}")

    def wait_idle(self, limit_s: float) -> bool:
        """Until the group does nothing any more; False if it is still at work after ``limit_s``."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self.cores_used(_LOOK_S) < _IDLE_CORES:
                return True
        return False

    def cores_used(self, seconds: float) -> float:
        """Cores that the group uses on average over the next ``seconds``."""
        before, started = self.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        return (self.cpu_seconds() - before) / (time.monotonic() - started)

    def stop(self) -> list[int]:
        """SIGTERM; what is there after a while is killed. Returns the processes that the first one left behind."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        left = self.members()
        psutil.wait_procs(left, timeout=1.0)
        left = self.members()
        for process in left:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=_STOP_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return [process.pid for process in left]


def answers(url: str) -> bool:
    """Whether ``url`` answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - addresses of our own servers
            return bool(response.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None

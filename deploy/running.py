"""The service that runs on this machine, found by its pid file: starts it, and exchanges its index without a pause."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from scin.index.manifest import manifest_digest
from server.memory import memory_of
from settings import Settings
from web.boot import local_address, served

_POLL_S = 0.2
_READY_S = 300.0
_PROC = Path("/proc")


class ServiceError(Exception):
    """The service did not start, or did not take the new index. The message is one line."""


def pid_file(settings: Settings) -> Path:
    """Where ``make serve`` and ``make scin`` write the process id of the service on this port."""
    return settings.var / f"service-{settings.port}.pid"


class RunningService:
    """A gunicorn of this project, on the host and port of ``settings``. ``pid`` is its arbiter's."""

    def __init__(self, settings: Settings, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self._settings = settings
        self._pid = pid
        self._child = child

    @property
    def is_ours(self) -> bool:
        """Whether this process started it."""
        return self._child is not None

    def is_alive(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return _is_service(self._pid)

    def take_index(self) -> None:
        """Make the service load the best index, and wait until all its workers serve that. No request is lost: the old
        workers serve until the new ones are loaded.

        Raises ServiceError if the memory is too small for both at once, or if the service does not serve the index.
        """
        if self._served_digest() == _best_digest(self._settings):
            return
        old = _children(self._pid)
        needed, free = _own_memory(old), _free_memory()
        if needed > free:
            raise ServiceError(
                f"The old and the new workers together need {needed >> 20:,} MiB more, but only {free >> 20:,} MiB are "
                "free. The old index is still served. Restart the service to serve the new one."
            )
        os.kill(self._pid, signal.SIGHUP)
        self.wait_until_served(lambda: old.isdisjoint(_children(self._pid)))

    def wait_until_served(self, replaced: Callable[[], bool] = lambda: True) -> None:
        """Wait until the service is ready, serves the best index, and ``replaced``. Raises ServiceError."""
        latest, best = time.monotonic() + _READY_S, _best_digest(self._settings)
        while time.monotonic() < latest:
            if not self.is_alive():
                raise ServiceError("The service ended. The lines above say why.")
            if replaced() and (digest := self._served_digest()) is not None:
                if digest != best:
                    raise ServiceError(
                        "The service is ready, but serves another index. If DERMSERVE_INDEX is set in its environment, "
                        "unset it and restart the service. Otherwise its log has the reason."
                    )
                return
            time.sleep(_POLL_S)
        raise ServiceError(f"The service did not become ready within {_READY_S:.0f} s. Its log has the reason.")

    def hold(self) -> int:
        """Wait until the service ends. Returns its exit status."""
        return self._child.wait() if self._child is not None else 0

    def stop(self) -> None:
        """Stop a service that this process started, and wait for its requests to end."""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            self._child.wait()

    def _served_digest(self) -> str | None:
        """The digest of the index that the service reports. None if it is not ready."""
        address = local_address(self._settings.host, self._settings.port)
        try:
            with urlopen(f"{address}/health/ready", timeout=10) as answer:  # noqa: S310 - it begins with http
                return str((json.load(answer)["index"] or {}).get("digest", "none"))
        except (HTTPError, HTTPException, OSError, ValueError):
            return None


def find_service(settings: Settings) -> RunningService | None:
    """The service whose process id is in the pid file. None if it does not run, or is not this user's gunicorn."""
    try:
        pid = int(pid_file(settings).read_text())
    except (OSError, ValueError):
        return None
    return RunningService(settings, pid) if _is_service(pid) else None


def start_service(settings: Settings) -> RunningService:
    """Start the service in the background. It has its own session, so that Ctrl-C reaches only this process, which can
    then stop the service without losing requests."""
    gunicorn = Path(sys.executable).with_name("gunicorn")
    options = ["--config", "gunicorn.conf.py", "--pid", str(pid_file(settings))]
    command = [str(gunicorn), *options, "application:application"]
    child = subprocess.Popen(command, start_new_session=True)
    return RunningService(settings, child.pid, child)


def _best_digest(settings: Settings) -> str:
    return manifest_digest(served(settings).index_folder)


def _is_service(pid: int) -> bool:
    """Whether ``pid`` is a gunicorn with this application that belongs to this user."""
    try:
        command = (_PROC / str(pid) / "cmdline").read_bytes()
        own = (_PROC / str(pid)).stat().st_uid == os.getuid()
        return own and b"gunicorn" in command and b"application:application" in command
    except OSError:
        return False


def _children(pid: int) -> set[int]:
    try:
        return set(map(int, (_PROC / f"{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return set()


def _own_memory(pids: set[int]) -> int:
    """Bytes that as many more processes need: what these use, shared pages divided among them."""
    used = (memory_of(pid) for pid in pids)
    return sum(one.proportional or one.resident for one in used if one is not None)


def _free_memory() -> int:
    """Bytes that can be used without swapping. A large number if the system does not say."""
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
    except OSError:
        return sys.maxsize
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), sys.maxsize)

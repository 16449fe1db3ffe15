"""The service under measurement, and the machine: processes that are started, looked at and ended as a whole."""

from __future__ import annotations

import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from ml.models.compiled import describe_processor
from server.memory import memory_of
from server.threads import usable_cores

ROOT = Path(__file__).resolve().parent.parent
_READY_S = 180.0
_STOP_S = 15.0
_IDLE_CORES = 0.1
_LOOK_S = 0.5
_PACKAGES = ("torch", "tensorflow-cpu", "onnxruntime", "faiss-cpu", "gunicorn", "flask", "litserve", "bentoml")


class ServerError(Exception):
    """A server did not do what the measurement needs."""


class ProcessGroup:
    """A command in a session of its own, with everything that it starts; it runs in ``folder``."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        folder: Path = ROOT,
        pipe: bool = False,
    ) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        with log.open("w") as out:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe else out,
                stderr=out,
                text=True,
                start_new_session=True,
            )

    def workers(self) -> list[psutil.Process]:
        """The children of the command: a server's workers."""
        return sorted(psutil.Process(self.process.pid).children(), key=lambda process: process.pid)

    def members(self) -> list[psutil.Process]:
        """All processes of the session, orphans included, and all descendants: BentoML's have sessions of their own."""
        found = {process for process in psutil.process_iter() if _session(process.pid) == self.process.pid}
        with suppress(psutil.NoSuchProcess):
            found.update(psutil.Process(self.process.pid).children(recursive=True))
        return sorted(found, key=lambda process: process.pid)

    def cpu_seconds(self) -> float:
        """CPU time of all members, and of children that the command has outlived."""
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
                raise ServerError(
                    f"ended with status {self.process.returncode} while it started:\n{self._last_lines()}"
                )
            if answers(url):
                return time.monotonic() - self.started
            time.sleep(0.05)
        raise ServerError(f"not ready within {_READY_S:g} s:\n{self._last_lines()}")

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def wait_idle(self, limit_s: float) -> bool:
        """Wait until the group does nothing; False if it is still at work after ``limit_s``."""
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
        """Send SIGTERM; kill what is left after a while. Returns the processes that the command left behind."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        psutil.wait_procs(self.members(), timeout=1.0)
        left = self.members()
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(left, timeout=_STOP_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return [process.pid for process in left]


@contextmanager
def service(settings: Mapping[str, str], *, tree: Path = ROOT, folder: Path | None = None) -> Iterator[Service]:
    """A service that is ready: of the checkout ``tree``, with two workers unless ``settings`` say otherwise.

    Its temporary files and its log are in ``folder``, otherwise in one that is removed at the end. Raises ServerError.
    """
    with tempfile.TemporaryDirectory(prefix="dermserve-bench-") as temporary:
        made = Service(settings, tree, folder or Path(temporary))
        try:
            made.ready_s = made.wait_ready(f"{made.url}/health/ready")
            yield made
        finally:
            made.stop()


class Service(ProcessGroup):
    """The real service under gunicorn, on a free port."""

    ready_s = 0.0

    def __init__(self, settings: Mapping[str, str], tree: Path, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        environment = {
            **os.environ,
            "DERMSERVE_VAR": os.environ.get("DERMSERVE_VAR", str(ROOT / "var")),
            "PYTHONPATH": str(tree),
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "PORT": str(port),
            "GUNICORN_WORKERS": "2",
            "MAX_WORKERS": "2",
            "DERMSERVE_STOP_DELAY_S": "0",
        }
        command = gunicorn("application:application")
        super().__init__(command, {**environment, **settings}, folder / "service.log", folder=tree)


def gunicorn(application: str) -> list[str]:
    """The command that production runs, in a checkout's folder."""
    return [str(Path(sys.executable).with_name("gunicorn")), "--config", "gunicorn.conf.py", application]


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


def machine_facts() -> dict[str, Any]:
    """The machine, and the versions that take part."""
    return {
        "cpu": describe_processor()["cpu"],
        "cores": usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.platform()),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def machine_name(machine: Mapping[str, Any]) -> str:
    """A name for files: the processor, its cores, and the versions of the servers."""
    packages = machine["packages"]
    parts = [machine["cpu"], f"{machine['cores']}-cores"]
    parts += [f"{name}-{packages[name]}" for name in ("gunicorn", "litserve", "bentoml") if name in packages]
    return re.sub(r"[^a-z0-9.]+", "-", "-".join(parts).lower())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None

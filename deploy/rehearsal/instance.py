"""One instance: a folder that stands for the machine, its two ports, and the processes that run on it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from deploy.rehearsal.processes import Processes

#: gunicorn's graceful_timeout, and what systemd is told to wait on the platform
_GRACE_S = 300.0


@dataclass
class Instance:
    """Where everything of one instance lies. ``web_port`` is nginx's, ``app_port`` gunicorn's."""

    name: str
    root: Path
    web_port: int
    app_port: int
    version: str
    web: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    nginx: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for folder in (self.log, self.home, self.tmp, self.files, self.data):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def staging(self) -> Path:
        return self.root / "app" / "staging"

    @property
    def current(self) -> Path:
        return self.root / "app" / "current"

    @property
    def venv(self) -> Path:
        return self.root / "venv"

    @property
    def data(self) -> Path:
        """Stands for /var/lib/dermserve."""
        return self.root / "data"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def tmp(self) -> Path:
        """Stands for /var/tmp."""
        return self.root / "tmp"

    @property
    def files(self) -> Path:
        """Stands for / where .ebextensions write files."""
        return self.root / "files"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def engine_log(self) -> Path:
        return self.log / "eb-engine.log"

    @property
    def web_log(self) -> Path:
        return self.log / "web.stdout.log"

    def stop(self, processes: Processes, grace_s: float = _GRACE_S) -> bool:
        """Stop as a drained instance does: the server first, gracefully, then the proxy. True if it went by itself."""
        clean = True
        if self.web is not None:
            clean = processes.end(self.web, signal.SIGTERM, grace_s)
            self.web = None
        if self.nginx is not None:
            clean &= processes.end(self.nginx, signal.SIGQUIT, 30)
            self.nginx = None
        return clean

    def remove(self) -> None:
        """Take its files away."""
        shutil.rmtree(self.root, ignore_errors=True)

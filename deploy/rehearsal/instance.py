"""One simulated instance (a folder, two ports, two processes) and the platform hooks that run on it."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.rehearsal.processes import Processes
from deploy.rehearsal.progress import DeployError

#: gunicorn's graceful_timeout and systemd's stop timeout on the platform
_GRACE_S = 300.0

_GET_CONFIG = """#!{python}
# In place of the platform's get-config: prints all environment properties, or the one named with -k.
import json, pathlib, sys
properties = json.loads(pathlib.Path({properties!r}).read_text())
if "-k" in sys.argv:
    print(properties[sys.argv[sys.argv.index("-k") + 1]])
else:
    print(json.dumps(properties))
"""


@dataclass
class Instance:
    """The paths and processes of one instance. nginx listens on ``web_port`` and gunicorn on ``app_port``."""

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
        """In place of /var/lib/dermserve."""
        return self.root / "data"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def tmp(self) -> Path:
        """In place of /var/tmp."""
        return self.root / "tmp"

    @property
    def files(self) -> Path:
        """In place of the root folder, for files that .ebextensions and hooks write."""
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
        """Stop the server gracefully, then the proxy. Returns whether both stopped without being killed."""
        clean = True
        if self.web is not None:
            clean = processes.end(self.web, signal.SIGTERM, grace_s)
            self.web = None
        if self.nginx is not None:
            clean &= processes.end(self.nginx, signal.SIGQUIT, 30)
            self.nginx = None
        return clean

    def stop_in_place(self, processes: Processes) -> None:
        """Stop the proxy and then the server, in the platform's order for a restart."""
        if self.nginx is not None:
            processes.end(self.nginx, signal.SIGQUIT, 30)
            self.nginx = None
        self.stop(processes)

    def remove(self) -> None:
        """Delete all files of the instance."""
        shutil.rmtree(self.root, ignore_errors=True)


class Hooks:
    """Runs the scripts in .platform. Variables redirect their changes into the instance's folder."""

    def __init__(
        self,
        instance: Instance,
        properties: Mapping[str, str],
        aws: Mapping[str, str],
        processes: Processes,
        install_env: Callable[[], Mapping[str, str]],
    ) -> None:
        self._instance = instance
        self._properties = dict(properties) | {"DERMSERVE_VAR": str(instance.data)}
        self._aws = aws
        self._processes = processes
        self._install_env = install_env
        self._get_config = self._write_get_config()

    def application_environment(self) -> dict[str, str]:
        """The environment variables of the web process."""
        return self._base() | self._properties

    def run(self, kind: str, application: Path, hooks: str = "hooks") -> None:
        """Run every hook of one folder in the order of names. If one fails, raises DeployError with its last line."""
        folder = application / ".platform" / hooks / kind
        for hook in sorted(folder.iterdir()) if folder.is_dir() else []:
            if not os.access(hook, os.X_OK):
                raise DeployError(f"The hook {kind}/{hook.name} is not executable. Run: git update-index --chmod=+x")
            done = self._processes.run(
                [hook], cwd=application, env=self._hook_environment(), log=self._instance.log / "eb-hooks.log"
            )
            if done.status:
                raise DeployError(f"The hook {kind}/{hook.name} failed: {done.last_line}")

    def _base(self) -> dict[str, str]:
        return {
            "PATH": f"{self._instance.venv}/bin:{os.defpath}",
            "HOME": str(self._instance.home),
            "TMPDIR": str(self._instance.tmp),
            "LANG": "C.UTF-8",
            **self._aws,
        }

    def _hook_environment(self) -> dict[str, str]:
        etc = self._instance.files / "etc"
        for name in ("rsyslog.d", "logrotate.d"):
            (etc / name).mkdir(parents=True, exist_ok=True)
        return {
            **self._base(),
            **self._install_env(),
            "EB_APP_ENV": str(self._get_config),
            "PIP_CONF": str(self._instance.root / "pip.conf"),
            "DERMSERVE_OWNER": getpass.getuser(),
            "DERMSERVE_PYTHON": str(self._instance.venv / "bin" / "python"),
            "DERMSERVE_ETC": str(self._instance.files / "opt" / "dermserve"),
            "RSYSLOG_DIR": str(etc / "rsyslog.d"),
            "LOGROTATE_DIR": str(etc / "logrotate.d"),
            "SYSTEMCTL": "/bin/true",
            "CW_AGENT_CTL": "/bin/true",
        }

    def _write_get_config(self) -> Path:
        properties = self._instance.root / "properties.json"
        properties.write_text(json.dumps(self._properties))
        script = self._instance.root / "get-config"
        script.write_text(_GET_CONFIG.format(python=sys.executable, properties=str(properties)))
        script.chmod(0o755)
        return script

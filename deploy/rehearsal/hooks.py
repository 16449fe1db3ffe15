"""The platform's hooks on one instance, with everything that they would touch on a machine put into its folder."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.rehearsal.errors import DeployError
from deploy.rehearsal.instance import Instance
from deploy.rehearsal.processes import Processes

_GET_CONFIG = """#!{python}
# Stands for the platform's get-config: prints the environment properties, or one of them.
import json, pathlib, sys
properties = json.loads(pathlib.Path({properties!r}).read_text())
if "-k" in sys.argv:
    print(properties[sys.argv[sys.argv.index("-k") + 1]])
else:
    print(json.dumps(properties))
"""


class Hooks:
    """Runs what lies in .platform/hooks. Hooks get the environment properties from get-config, as on a machine."""

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
        """What the web process sees."""
        return self._base() | self._properties

    def run(self, kind: str, application: Path) -> None:
        """Every file of one folder in the order of names. Raises DeployError with the last line of one that fails."""
        folder = application / ".platform" / "hooks" / kind
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

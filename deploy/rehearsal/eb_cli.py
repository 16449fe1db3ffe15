"""The EB CLI as it is published, in an environment of its own, cut off from every account and network."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.rehearsal.eb_records import APPLICATION, BRANCH, ENVIRONMENT
from deploy.rehearsal.errors import RehearsalError
from deploy.rehearsal.local_s3 import REGION
from deploy.rehearsal.processes import Finished, Processes

#: minutes that `eb deploy` waits, as docs/operations.md advises
DEPLOY_MINUTES = 45


def install_tools(requirements: Path, folder: Path, processes: Processes) -> Path:
    """A virtual environment with what ``requirements`` pins, made once below ``folder`` and then reused.

    Raises RehearsalError if it cannot be installed.
    """
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    made = folder / f"tools-{digest}"
    complete = made / "complete"
    if complete.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(made, ignore_errors=True)
    log = folder / "tools.log"
    commands: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", made],
        [made / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", requirements],
    ]
    for command in commands:
        done = processes.run(command, cwd=folder, env=os.environ, log=log)
        if done.status:
            raise RehearsalError(f"the EB CLI cannot be installed ({done.last_line}); see {log}")
    complete.touch()
    return made


@dataclass(frozen=True)
class EbCli:
    """`eb` in one application's folder."""

    tools: Path
    folder: Path
    log: Path
    env: Mapping[str, str]
    processes: Processes

    def init(self) -> None:
        """`eb init`. Raises RehearsalError if it fails."""
        done = self._eb("init", APPLICATION, "--platform", BRANCH, "--region", REGION)
        if done.status:
            raise RehearsalError(f"eb init failed: {done.last_line}; see {self.log}")

    def deploy(self) -> Finished:
        """`eb deploy` of HEAD: its exit status (0; 4 if the environment reports a failure) and what it printed."""
        return self._eb("deploy", ENVIRONMENT, "--timeout", str(DEPLOY_MINUTES))

    def _eb(self, *arguments: str) -> Finished:
        command: list[str | Path] = [self.tools / "bin" / "eb", *arguments]
        return self.processes.run(command, cwd=self.folder, env=self.env, log=self.log, limit_s=DEPLOY_MINUTES * 60)

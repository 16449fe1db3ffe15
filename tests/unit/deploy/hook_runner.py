"""Runs the platform hooks with fakes for the parts of an instance, without changing the host."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLATFORM = ROOT / ".platform"
HOOKS = sorted(PLATFORM.rglob("*.sh"))

#: in place of the application's interpreter: records each call, and fails the calls that begin with FAIL
FAKE_PYTHON = f"""#!/usr/bin/env bash
case "$*" in
-m*) shift ;;
*check_boot*) set -- boot check ;;
*) exec {sys.executable} "$@" ;;
esac
echo "$*" >>"$CALLS"
if [[ -n ${{FAIL:-}} && "$*" == $FAIL* ]]; then echo "a line before"; echo "error: the disk is full" >&2; exit 1; fi
while [[ $# -gt 0 ]]; do if [[ $1 == --out ]]; then mkdir -p "$2"; fi; shift; done
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(hook: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = plain | {"EB_APP_ENV": "/nonexistent"} | variables
    return subprocess.run([str(hook)], env=environment, capture_output=True, text=True, check=False, timeout=60)


def instance_variables(tmp_path: Path) -> dict[str, str]:
    """Variables that make the predeploy hook work in its own folder."""
    return {
        "DERMSERVE_VAR": str(tmp_path / "var"),
        "DERMSERVE_OWNER": getpass.getuser(),
        "DERMSERVE_PYTHON": str(executable(tmp_path / "python", FAKE_PYTHON)),
        "CALLS": str(tmp_path / "calls"),
        "TMPDIR": str(tmp_path),
        "SCIN_BUCKET_PATH": "gs://bucket/dataset/",
    }


def calls(instance: dict[str, str]) -> list[str]:
    path = Path(instance["CALLS"])
    return path.read_text().splitlines() if path.exists() else []


def error_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one-line reason of a failed hook."""
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    return line

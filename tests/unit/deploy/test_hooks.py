"""Properties of all hooks, the observability hook, and hooks in the deployed bundle."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.unit.deploy.hook_runner import HOOKS, PLATFORM, ROOT, calls, executable, instance_variables, run

OBSERVABILITY = PLATFORM / "hooks/postdeploy/30_observability.sh"


@pytest.mark.parametrize("hook", HOOKS, ids=lambda path: str(path.relative_to(PLATFORM)))
def test_each_hook_can_be_run_and_stops_at_the_first_failure(hook: Path) -> None:
    assert hook.stat().st_mode & stat.S_IXUSR
    text = hook.read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text


def observability(tmp_path: Path) -> dict[str, str]:
    for folder in ("etc", "rsyslog", "logrotate"):
        (tmp_path / folder).mkdir()
    for name in ("rsyslog.conf", "logrotate.conf", "cloudwatch-agent.json"):
        (tmp_path / "etc" / name).write_text(name)
    record = f'#!/bin/sh\necho "$(basename "$0") $*" >>{tmp_path}/calls\n'
    return {
        "DERMSERVE_ETC": str(tmp_path / "etc"),
        "RSYSLOG_DIR": str(tmp_path / "rsyslog"),
        "LOGROTATE_DIR": str(tmp_path / "logrotate"),
        "CW_AGENT_CTL": str(executable(tmp_path / "ctl", record)),
        "SYSTEMCTL": str(executable(tmp_path / "systemctl", record)),
    }


def test_logs_and_agent_are_configured(tmp_path: Path) -> None:
    done = run(OBSERVABILITY, **observability(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "rsyslog/10-dermserve.conf").read_text() == "rsyslog.conf"
    assert (tmp_path / "logrotate/dermserve").read_text() == "logrotate.conf"
    assert (tmp_path / "calls").read_text().splitlines() == [
        "systemctl restart rsyslog",
        f"ctl -a append-config -m ec2 -s -c file:{tmp_path}/etc/cloudwatch-agent.json",
    ]


@pytest.mark.parametrize("missing", ["CW_AGENT_CTL", "SYSTEMCTL", "DERMSERVE_ETC"])
def test_a_missing_log_or_agent_does_not_fail_the_deployment(tmp_path: Path, missing: str) -> None:
    done = run(OBSERVABILITY, **(observability(tmp_path) | {missing: "/nonexistent/thing"}))
    assert done.returncode == 0
    assert "WARNING" in done.stderr


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """The hooks as `eb deploy` sends them: from an unpacked zip of git archive."""
    clone = tmp_path / "clone"
    shutil.copytree(PLATFORM, clone / ".platform")
    (clone / "tests").mkdir()
    (clone / "tests/test_x.py").write_text("")
    shutil.copy(ROOT / ".gitattributes", clone)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=clone, check=True)
    subprocess.run([*git, "archive", "--format=zip", "-o", str(tmp_path / "b.zip"), "HEAD"], cwd=clone, check=True)
    target = tmp_path / "staging"
    subprocess.run(["unzip", "-q", str(tmp_path / "b.zip"), "-d", str(target)], check=True)
    return target


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_hooks_survive_the_bundle(unpacked: Path, tmp_path: Path) -> None:
    hooks = sorted((unpacked / ".platform").rglob("*.sh"))
    assert [hook.relative_to(unpacked / ".platform") for hook in hooks] == [h.relative_to(PLATFORM) for h in HOOKS]
    for hook in hooks:
        assert not hook.is_symlink()
        assert os.access(hook, os.X_OK)
    assert not (unpacked / "tests").exists()

    instance = instance_variables(tmp_path)
    # A change of environment properties runs the same hook as a deployment.
    done = run(unpacked / ".platform/confighooks/predeploy/20_models_and_index.sh", **instance)
    assert done.returncode == 0, done.stderr
    assert calls(instance) == ["ml fetch", "ml verify", "scin sample", "boot check"]

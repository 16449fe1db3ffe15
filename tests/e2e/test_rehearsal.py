"""Rehearses `eb deploy`: the uploaded bundle, and the deployed service."""

from __future__ import annotations

import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator

import psutil
import pytest

from deploy.rehearsal.checks import short_checks
from deploy.rehearsal.eb_settings import INSTANCE_PROFILE
from deploy.rehearsal.engine import BUNDLE_LIMIT
from deploy.rehearsal.rehearsal import REPOSITORY, Rehearsal
from tests.unit.deploy.process_ends import still_alive

pytestmark = [pytest.mark.e2e, pytest.mark.rehearsal, pytest.mark.models]

#: top-level names that an instance does not need
UNWANTED = {".git", "tests", "benchmarks", ".ci", "var", ".venv", "venv", "env", "node_modules"}
#: file name endings of models, indexes, datasets and secrets
UNWANTED_ENDS = (
    ".pt2",
    ".pth",
    ".keras",
    ".pb",
    ".tflite",
    ".faiss",
    ".parquet",
    ".safetensors",
    ".pem",
    ".key",
    ".env",
)


def test_eb_create_sets_what_the_saved_configuration_holds_and_the_load_balancer(rehearsal: Rehearsal) -> None:
    """Nothing else outranks .ebextensions. Without --cfg, the EB CLI also sends RollingUpdateType and batch sizes."""
    assert rehearsal.environment.records.settings == {
        INSTANCE_PROFILE: "aws-elasticbeanstalk-ec2-role",
        ("aws:elasticbeanstalk:environment", "LoadBalancerType"): "application",
    }


def test_what_is_deployed_answers(rehearsal: Rehearsal) -> None:
    short_checks(rehearsal)


@pytest.fixture(scope="module")
def bundle(rehearsal: Rehearsal) -> Iterator[zipfile.ZipFile]:
    """The zip that `eb deploy` uploaded."""
    sent = rehearsal.environment.bundle(rehearsal.environment.records.deployed)
    assert sent.stat().st_size < BUNDLE_LIMIT
    with zipfile.ZipFile(sent) as archive:
        yield archive


def test_the_bundle_holds_what_the_platform_looks_for(bundle: zipfile.ZipFile) -> None:
    names = set(bundle.namelist())
    assert names >= {"Procfile", "application.py", "requirements.txt", "gunicorn.conf.py", "settings.py"}
    for folder in (
        ".ebextensions/",
        ".platform/hooks/",
        ".platform/nginx/",
        "ml/",
        "scin/",
        "web/",
        "server/",
        "storage/",
    ):
        assert any(name.startswith(folder) for name in names), folder


def test_the_bundle_holds_nothing_else(bundle: zipfile.ZipFile) -> None:
    names = [entry.filename for entry in bundle.infolist() if not entry.is_dir()]
    assert [name for name in names if name.split("/")[0] in UNWANTED] == []
    assert [name for name in names if name.endswith(UNWANTED_ENDS)] == []
    assert [name for name in names if "__pycache__" in name] == []


def test_the_bundle_is_small(bundle: zipfile.ZipFile) -> None:
    """No file is so large that it looks like data."""
    largest = max(bundle.infolist(), key=lambda entry: entry.file_size)
    assert largest.file_size < 5 * 2**20, largest.filename


def test_hooks_can_be_executed_after_unpacking(bundle: zipfile.ZipFile) -> None:
    hooks = [e for e in bundle.infolist() if e.filename.startswith((".platform/hooks/", ".platform/confighooks/"))]
    scripts = [entry for entry in hooks if not entry.is_dir()]
    assert scripts
    assert [entry.filename for entry in scripts if not entry.external_attr >> 16 & 0o111] == []


def test_an_interrupt_leaves_nothing_behind(rehearsal: Rehearsal) -> None:
    """After Ctrl-C during a deployment, every process has ended and the folder of the run is deleted."""
    runs = rehearsal.environment.folder.parent
    before = set(runs.glob("run-*"))
    # If a script runs the tests in the background, their child processes ignore interrupts by default.
    heard = ["env", "--default-signal=INT"]
    command = [*heard, sys.executable, "-m", "deploy.rehearsal", "--short", "--working-tree"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as interrupted:
        assert interrupted.stdout is not None
        for line in interrupted.stdout:
            if "StartProxy" in line:
                break
        started = psutil.Process(interrupted.pid).children(recursive=True)
        interrupted.send_signal(signal.SIGINT)
        said = interrupted.stdout.read()
        assert interrupted.wait() == 130, said
    assert len(started) >= 5  # S3, front and instance nginx, gunicorn, the EB CLI
    assert still_alive(started) == []
    assert set(runs.glob("run-*")) == before

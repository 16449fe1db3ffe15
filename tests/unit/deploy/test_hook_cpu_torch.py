"""The prebuild hook: CPU builds of torch where their index answers, and pip's own ways where it does not."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.deploy.hook_runner import PLATFORM, ROOT, executable, run

CPU_TORCH = PLATFORM / "hooks/prebuild/10_cpu_torch.sh"
#: nothing listens on the discard port of loopback
SILENT = "http://127.0.0.1:9/whl"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of a package index that answers."""
    (tmp_path / "www/torch").mkdir(parents=True)
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *given: handler(*given, directory=str(tmp_path / "www"))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_an_index_that_answers_is_named(tmp_path: Path, index: str) -> None:
    conf = tmp_path / "new folder/pip.conf"
    done = run(CPU_TORCH, PIP_CONF=str(conf), TORCH_INDEX=index)
    assert done.returncode == 0, done.stderr
    assert f"extra-index-url = {index}\n" in conf.read_text()
    assert "no-cache-dir" not in conf.read_text()
    assert len(done.stdout.splitlines()) == 1
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={"PIP_CONFIG_FILE": str(conf), "PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert index in shown.stdout


def test_it_works_where_there_is_no_curl(tmp_path: Path, index: str) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "uname", "grep", "rm", "mkdir", "dirname"):
        (tools / name).symlink_to(str(shutil.which(name)))
    (tools / "python3").symlink_to(sys.executable)
    conf = tmp_path / "pip.conf"
    done = run(CPU_TORCH, PIP_CONF=str(conf), TORCH_INDEX=index, PATH=str(tools))
    assert done.returncode == 0, done.stderr
    assert conf.exists()


@pytest.mark.parametrize("before", [None, "# written by 10_cpu_torch.sh\n[global]\nextra-index-url = http://old\n"])
def test_an_index_that_does_not_answer_is_not_named(tmp_path: Path, before: str | None) -> None:
    conf = tmp_path / "pip.conf"
    if before:
        conf.write_text(before)
    done = run(CPU_TORCH, PIP_CONF=str(conf), TORCH_INDEX=SILENT)
    assert done.returncode == 0
    assert not conf.exists()
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert "does not answer" in line


def test_settings_that_are_someone_elses_are_left_alone(tmp_path: Path, index: str) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text("[global]\ntimeout = 60\n")
    done = run(CPU_TORCH, PIP_CONF=str(conf), TORCH_INDEX=index)
    assert done.returncode == 0
    assert conf.read_text() == "[global]\ntimeout = 60\n"
    assert "left alone" in done.stdout


def test_a_gpu_instance_gets_the_default_build(tmp_path: Path, index: str) -> None:
    reader = executable(tmp_path / "get-config", '#!/bin/sh\n[ "$1 $3" = "environment ENABLE_GPU" ] && echo true\n')
    conf = tmp_path / "pip.conf"
    for variables in ({"ENABLE_GPU": "true"}, {"EB_APP_ENV": str(reader)}):
        done = run(CPU_TORCH, PIP_CONF=str(conf), TORCH_INDEX=index, **variables)
        assert done.returncode == 0
        assert not conf.exists()


def test_no_other_file_names_the_index() -> None:
    host = "download." + "pytorch.org"
    found = subprocess.run(
        ["git", "grep", "--untracked", "-lF", host], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout.splitlines() == [str(CPU_TORCH.relative_to(ROOT))]

"""The prebuild hook: the CPU build of torch where its index states its hashes, otherwise the default build."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.deploy.hook_runner import PLATFORM, ROOT, executable, run

CPU_TORCH = PLATFORM / "hooks/prebuild/10_cpu_torch.sh"
#: nothing listens on the discard port of loopback
SILENT = "http://127.0.0.1:9/whl"
VERSION = "1.2.3"


def wheel(folder: Path, name: str, version: str, needs: str | None = None) -> Path:
    """A package without code."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Places:
    """A registry with the default build, an index with the CPU build, and requirements that pin the former."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        registry, cpu = folder / "registry", folder / "www/torch"
        packages = [
            wheel(registry, "torch", VERSION, "nvidia-something"),
            wheel(registry, "nvidia-something", "1.0"),
            wheel(registry, "another", "2.0"),
        ]
        self.registry = registry
        self.cpu_build = wheel(cpu, "torch", f"{VERSION}+cpu")
        (cpu / "index.html").write_text(
            f'<a href="torch-{VERSION}%2Bcpu-py3-none-any.whl#sha256={sha256(self.cpu_build)}">a wheel</a>'
        )
        self.requirements = folder / "requirements.txt"
        torch, cuda, another = (sha256(package) for package in packages)
        self.pinned = (
            f"another==2.0 \\\n    --hash=sha256:{another}\n    # via something\n"
            f"nvidia-something==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:{cuda}\n    # via torch\n"
            f"torch=={VERSION} \\\n    --hash=sha256:{torch}\n    # via -r requirements.in\n"
        )
        self.requirements.write_text(self.pinned)
        self.conf = folder / "new folder/pip.conf"
        self.index = SILENT

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return run(
            CPU_TORCH,
            **{
                "REQUIREMENTS": str(self.requirements),
                "PIP_CONF": str(self.conf),
                "TORCH_INDEX": self.index,
                "PIP_FIND_LINKS": "/nonexistent",
            }
            | variables,
        )

    def installed(self) -> dict[str, str]:
        """What pip would install, each with its version, from the registry and what the written configuration names."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        if self.conf.exists():
            environment["PIP_CONFIG_FILE"] = str(self.conf)
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--dry-run",
            "--ignore-installed",
            "--report",
            "-",
        ]
        done = subprocess.run(
            [
                *command,
                "--index-url",
                SILENT,
                "--retries",
                "0",
                "--find-links",
                str(self.registry),
                "-r",
                str(self.requirements),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        packages = [package["metadata"] for package in json.loads(done.stdout)["install"]]
        return {package["name"]: package["version"] for package in packages}


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """The index of CPU builds answers."""
    made = Places(tmp_path)
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *given: handler(*given, directory=str(tmp_path / "www"))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.index = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    server.server_close()


def test_pip_takes_the_cpu_build_by_its_hash(places: Places) -> None:
    done = places.run()
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert f"extra-index-url = {places.index}\n" in places.conf.read_text()
    assert "no-cache-dir" not in places.conf.read_text()
    assert places.installed() == {"another": "2.0", "torch": f"{VERSION}+cpu"}
    again = places.run()
    assert again.returncode == 0
    assert places.installed() == {"another": "2.0", "torch": f"{VERSION}+cpu"}


def test_pip_refuses_a_cpu_build_that_is_not_the_stated_one(places: Places) -> None:
    places.run()
    wheel(places.cpu_build.parent, "torch", f"{VERSION}+cpu", "another")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        places.installed()
    assert "DO NOT MATCH THE HASHES" in refused.value.stderr


def test_it_works_where_there_is_no_curl(places: Places) -> None:
    tools = places.folder / "bin"
    tools.mkdir()
    for name in ("bash", "uname", "grep", "rm", "mkdir", "dirname", "sed", "sort", "awk", "cat", "mktemp"):
        (tools / name).symlink_to(str(shutil.which(name)))
    (tools / "python3").symlink_to(sys.executable)
    done = places.run(PATH=str(tools))
    assert done.returncode == 0, done.stderr
    assert places.conf.exists()
    assert "nvidia" not in places.requirements.read_text()


def test_the_requirements_may_be_written_elsewhere(places: Places) -> None:
    target = places.folder / "target.txt"
    assert places.run(TARGET=str(target)).returncode == 0
    assert "nvidia" not in target.read_text()
    assert places.requirements.read_text() == places.pinned
    assert places.run(TARGET=str(target), ENABLE_GPU="true").returncode == 0
    assert target.read_text() == places.pinned


def test_a_wheel_in_a_folder_needs_no_index(places: Places) -> None:
    machine = os.uname().machine
    tag = "cp{}{}".format(*sys.version_info)
    folder = places.folder / "wheels"
    folder.mkdir()
    built = folder / f"torch-{VERSION}+cpu-{tag}-{tag}-manylinux_2_28_{machine}.whl"
    built.write_bytes(b"a wheel")
    done = places.run(TORCH_INDEX=SILENT, PIP_FIND_LINKS=str(folder))
    assert done.returncode == 0, done.stderr
    assert not places.conf.exists()
    assert sha256(built) in places.requirements.read_text()
    assert "nvidia" not in places.requirements.read_text()


@pytest.mark.parametrize("before", [None, "# written by 10_cpu_torch.sh\n[global]\nextra-index-url = http://old\n"])
def test_an_index_that_does_not_answer_is_not_named(places: Places, before: str | None) -> None:
    if before:
        places.conf.parent.mkdir()
        places.conf.write_text(before)
    done = places.run(TORCH_INDEX=SILENT)
    assert done.returncode == 0
    assert not places.conf.exists()
    assert places.requirements.read_text() == places.pinned
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert "does not answer" in line
    assert places.installed() == {"another": "2.0", "torch": VERSION, "nvidia-something": "1.0"}


def test_an_index_without_a_hash_is_not_used(places: Places) -> None:
    page = places.cpu_build.with_name("index.html")
    page.write_text(page.read_text().replace("#sha256", "#md5"))
    assert places.run().returncode == 0
    assert not places.conf.exists()
    assert places.requirements.read_text() == places.pinned


def test_settings_that_are_someone_elses_are_left_alone(places: Places) -> None:
    places.conf.parent.mkdir()
    places.conf.write_text("[global]\ntimeout = 60\n")
    done = places.run()
    assert done.returncode == 0
    assert places.conf.read_text() == "[global]\ntimeout = 60\n"
    assert places.requirements.read_text() == places.pinned
    assert "left alone" in done.stdout


def test_a_gpu_instance_gets_the_default_build(places: Places) -> None:
    reader = executable(
        places.folder / "get-config", '#!/bin/sh\n[ "$1 $3" = "environment ENABLE_GPU" ] && echo true\n'
    )
    for variables in ({"ENABLE_GPU": "true"}, {"EB_APP_ENV": str(reader)}):
        done = places.run(**variables)
        assert done.returncode == 0
        assert not places.conf.exists()
        assert places.requirements.read_text() == places.pinned


def test_only_the_hook_names_the_index() -> None:
    host = "download." + "pytorch.org"
    found = subprocess.run(
        ["git", "grep", "--untracked", "-lF", host], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout.splitlines() == [str(CPU_TORCH.relative_to(ROOT))]

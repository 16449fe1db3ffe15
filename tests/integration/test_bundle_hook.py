"""The prebuild hook on a new instance, with a bundle in S3 (moto over a socket), the real AWS CLI and the real pip."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from deploy.bundle.contents import PACKAGES, REQUIREMENTS, WHEEL, Contents, Part, platform_here
from deploy.bundle.packed import download_wheels, needed_glibc, pack_packages
from deploy.bundle.publish import publish
from storage.target import open_target
from tests.tools import tool_or_skip
from tests.unit.deploy.bundles import DATA_FILES, REPOSITORY_REQUIREMENTS, SITE, contents_of, files_below
from tests.unit.deploy.hook_runner import PLATFORM, run

BUNDLE = PLATFORM / "hooks/prebuild/05_bundle.sh"
CPU_TORCH = PLATFORM / "hooks/prebuild/10_cpu_torch.sh"
#: nothing listens on the discard port of loopback
CLOSED = "http://127.0.0.1:9"
PREFIX = "releases"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    tool_or_skip("aws", must="install bundles from S3", skipped="no bundle is read from S3")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@dataclass
class New:
    """A new instance: folders, a virtual environment without packages, and an S3 to which nothing else answers."""

    root: Path
    bucket: str
    env: dict[str, str]
    client: Any = field(repr=False)

    @property
    def target(self) -> str:
        return f"s3://{self.bucket}/{PREFIX}"

    def hook(self, bundle: str, hook: Path = BUNDLE) -> subprocess.CompletedProcess[str]:
        done = run(hook, **self.env, DERMSERVE_BUNDLE=bundle)
        assert done.returncode == 0, done.stderr
        return done

    def delete(self, part: Part) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=f"{PREFIX}/parts/{part.sha256}")

    def overwrite(self, part: Part, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{PREFIX}/parts/{part.sha256}", Body=data)

    def is_untouched(self) -> bool:
        own = files_below(self.root / "var")
        own = {name: data for name, data in own.items() if not name.startswith("bundle/parts/")}
        return (
            own == {}
            and not (self.root / "pip.conf").exists()
            and (self.root / "requirements.txt").read_bytes() == REPOSITORY_REQUIREMENTS
            and not (self.root / "venv" / SITE / "tool").exists()
        )


@pytest.fixture
def new(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> New:
    bucket = f"bundles-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    aws = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_ENDPOINT_URL": CLOSED,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket=bucket)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (tmp_path / "requirements.txt").write_bytes(REPOSITORY_REQUIREMENTS)
    env = aws | {
        "DERMSERVE_VAR": str(tmp_path / "var"),
        "DERMSERVE_PYTHON": str(tmp_path / "venv/bin/python"),
        "REQUIREMENTS": str(tmp_path / "requirements.txt"),
        "PIP_CONF": str(tmp_path / "pip.conf"),
        "TMPDIR": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return New(tmp_path, bucket, env, client)


@pytest.fixture
def small(new: New) -> tuple[str, Contents]:
    """A small bundle in S3: its address and its contents."""
    contents, files = contents_of(new.root / "made")
    return publish(contents, files, open_target(new.target), lambda _: None), contents


def part_of(contents: Contents, path: str) -> Part:
    (part,) = [part for part in contents.parts if part.path == path]
    return part


def test_a_new_instance_is_installed_from_s3(new: New, small: tuple[str, Contents]) -> None:
    done = new.hook(small[0])
    assert done.stderr == ""
    assert files_below(new.root / "var") == DATA_FILES
    command = subprocess.run([new.root / "venv/bin/tool"], check=False)
    assert command.returncode == 0  # its interpreter is the instance's own, and it finds its package


def test_wheels_are_not_downloaded_for_a_new_environment(new: New, small: tuple[str, Contents]) -> None:
    new.delete(part_of(small[1], "tool-1.0-py3-none-any.whl"))
    assert new.hook(small[0]).stderr == ""


@pytest.mark.parametrize("path", ["packages-0.tar.gz", "models/one/1.0/compiled/model.onnx"])
def test_one_changed_byte_is_one_warning_and_nothing_is_installed(
    new: New, small: tuple[str, Contents], path: str
) -> None:
    part = part_of(small[1], path)
    data = bytearray((new.root / "made" / part.sha256).read_bytes())
    data[-1] ^= 1
    new.overwrite(part, bytes(data))
    (line,) = new.hook(small[0]).stderr.splitlines()
    assert "WARNING" in line
    assert f"{path} (part {part.sha256[:12]}…) does not match its sha256" in line
    assert new.is_untouched()


def test_a_missing_file_is_named(new: New, small: tuple[str, Contents]) -> None:
    new.delete(part_of(small[1], "index/sample/index.faiss"))
    (line,) = new.hook(small[0]).stderr.splitlines()
    assert "index/sample/index.faiss" in line
    assert "is missing" in line
    assert new.is_untouched()


def test_an_interrupted_download_is_continued(new: New, small: tuple[str, Contents]) -> None:
    """What has arrived is not asked for again. What arrived damaged is."""
    address, contents = small
    arrived, damaged = part_of(contents, "packages-0.tar.gz"), part_of(contents, "index/sample/index.faiss")
    cache = new.root / "var/bundle/parts"
    cache.mkdir(parents=True)
    (cache / arrived.sha256).write_bytes((new.root / "made" / arrived.sha256).read_bytes())
    (cache / damaged.sha256).write_bytes(b"half")
    new.delete(arrived)
    assert new.hook(address).stderr == ""
    assert files_below(new.root / "var") == DATA_FILES


@pytest.mark.parametrize("bundle", ["other", "no bucket", "closed"])
def test_s3_that_does_not_answer_is_one_warning(new: New, small: tuple[str, Contents], bundle: str) -> None:
    address = small[0]
    if bundle == "other":
        address = f"{new.target}/dermserve-{'0' * 64}"
    elif bundle == "no bucket":
        address = address.replace(new.bucket, "no-such-bucket")
    else:
        new.env |= {"AWS_ENDPOINT_URL_S3": CLOSED, "AWS_MAX_ATTEMPTS": "1"}
    (line,) = new.hook(address).stderr.splitlines()
    assert "WARNING" in line
    assert "cannot be read" in line
    assert new.is_untouched()


def test_without_a_bundle_an_earlier_configuration_of_pip_is_removed(new: New, small: tuple[str, Contents]) -> None:
    new.hook(small[0])
    assert (new.root / "pip.conf").exists()
    assert new.hook("").stdout == ""
    assert not (new.root / "pip.conf").exists()


def test_the_property_of_the_environment_names_the_bundle(new: New, small: tuple[str, Contents]) -> None:
    config = new.root / "get-config"
    config.write_text(f'#!/bin/sh\n[ "$3" = DERMSERVE_BUNDLE ] && echo {small[0]}\n')
    config.chmod(0o755)
    new.env["EB_APP_ENV"] = str(config)
    assert "packages unpacked" in new.hook("").stdout


def wheel(folder: Path) -> Path:
    """The package ``tool`` with a module and a command."""
    folder.mkdir(parents=True, exist_ok=True)
    path, info = folder / "tool-1.0-py3-none-any.whl", "tool-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tool/__init__.py", "def main():\n    print('works')\n")
        archive.writestr("tool/include/tool.h", "int answer;")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\ntool = tool:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def real(new: New, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bundle whose packages the real pip has installed."""
    made = new.root / "real"
    digest = hashlib.sha256(wheel(made / "registry").read_bytes()).hexdigest()
    (new.root / "requirements.txt").write_text(f"tool==1.0 \\\n    --hash=sha256:{digest}\n")
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(made / "registry")}.items():
        monkeypatch.setenv(name, value)
    wheels = download_wheels(new.root / "requirements.txt", made / "wheels")
    archives = pack_packages(new.root / "requirements.txt", made / "wheels", made / "packed", lambda _: None)
    again = pack_packages(new.root / "requirements.txt", made / "wheels", made / "again", lambda _: None)
    assert [path.read_bytes() for path in archives] == [path.read_bytes() for path in again]
    chosen = [(REQUIREMENTS, new.root / "requirements.txt")]
    chosen += [(PACKAGES, path) for path in archives] + [(WHEEL, path) for path in wheels]
    files = {hashlib.sha256(path.read_bytes()).hexdigest(): path for _, path in chosen}
    parts = tuple(
        Part(kind, path.name, digest, path.stat().st_size) for (kind, path), digest in zip(chosen, files, strict=True)
    )
    pinned = parts[0].sha256
    contents = Contents(platform_here(glibc=needed_glibc(wheels)), pinned, (), parts)
    return publish(contents, files, open_target(new.target), lambda _: None)


def pip_install(new: New) -> subprocess.CompletedProcess[str]:
    """What the platform runs after the prebuild hooks, with a registry that is closed."""
    env = {"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": new.env["PIP_CONF"], "PIP_INDEX_URL": f"{CLOSED}/simple"}
    command = [sys.executable, "-m", "pip", "--python", str(new.root / "venv/bin/python"), "install", "--retries", "0"]
    where = ["-r", str(new.root / "requirements.txt")]
    return subprocess.run([*command, *where], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("environment", ["new", "used"])
def test_pip_needs_no_registry_after_the_hook(new: New, real: str, environment: str) -> None:
    assert pip_install(new).returncode != 0
    if environment == "used":
        (new.root / "venv" / SITE / "other-1.0.dist-info").mkdir(parents=True)
    done = new.hook(real)
    assert done.stderr == ""
    assert ("packages unpacked" if environment == "new" else "1 wheels") in done.stdout
    installed = pip_install(new)
    assert installed.returncode == 0, installed.stderr
    said = subprocess.run([new.root / "venv/bin/tool"], capture_output=True, text=True, check=False)
    assert said.stdout == "works\n"
    headers = list((new.root / "venv").rglob("tool.h"))
    assert len(headers) == (0 if environment == "new" else 1)


def test_pip_can_remove_what_the_hook_installed(new: New, real: str) -> None:
    new.hook(real)
    command = [sys.executable, "-m", "pip", "--python", str(new.root / "venv/bin/python"), "uninstall", "-y", "tool"]
    subprocess.run(command, check=True, capture_output=True)
    left = [name for name in files_below(new.root / "venv") if "tool" in name]
    assert left == []


def test_the_torch_hook_leaves_the_bundles_requirements_alone(new: New, small: tuple[str, Contents]) -> None:
    new.hook(small[0])
    before = (new.root / "requirements.txt").read_bytes()
    assert "come from the bundle" in run(CPU_TORCH, **new.env, TARGET=new.env["REQUIREMENTS"]).stdout
    assert (new.root / "requirements.txt").read_bytes() == before

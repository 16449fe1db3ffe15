"""The client as its users get it: built, installed in an empty environment, and typed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.unit.client.scripted_service import ANSWER, Script

CLIENT = Path(__file__).resolve().parents[3] / "client"
SOURCES = {f"dermserve/{path.name}" for path in (CLIENT / "dermserve").iterdir() if path.is_file()}
EXAMPLES = [CLIENT.parent / "examples" / name for name in ("analyze_client.py", "analyze_async.py")]
#: what a user may write; the two wrong lines are found by mypy
SCRIPT = """
import asyncio
import sys

from dermserve import AsyncClient, Client, RefusedError
from dermserve.models import AnalysisAnswer


def told(answer: AnalysisAnswer) -> str:
    tone = answer.skin.tone if answer.skin else None
    return f"{answer.summary.headline} {tone.group if tone else None} {answer.raw['analysis_id']}"


async def later(url: str) -> AnalysisAnswer:
    async with AsyncClient(url) as client:
        return await client.analyze(b"a photo", age=54, detail="standard")


def main(url: str) -> None:
    with Client(url, patience_s=5) as client:
        try:
            print(told(client.analyze([b"a photo", b"another"], body_site="arm", k=3)))
        except RefusedError as error:
            print(error.code, error.details, error.request_id)
    print(told(asyncio.run(later(url))))


main(sys.argv[1])
"""
WRONG = """
from dermserve import Client

answer = Client().analyze(b"a photo", agee=54)
print(answer.skin.tone)
"""


def run(*command: object) -> subprocess.CompletedProcess[str]:
    """Outside of the repository, so that only what is installed can be imported."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    arguments = [str(part) for part in command]
    return subprocess.run(arguments, cwd="/", env=environment, capture_output=True, text=True, check=False)


def built(kind: str, folder: Path) -> Path:
    """The ``wheel`` or ``sdist`` of the client."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=CLIENT, capture_output=True, check=True)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an empty environment with the wheel. Its dependencies are this environment's packages."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    python = folder / "venv" / "bin" / "python"
    wheel = built("wheel", folder / "wheel")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    installed = run(*pip)
    assert installed.returncode == 0, installed.stderr
    found = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    Path(found.stdout.strip(), "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_the_wheel_holds_the_package_and_its_types(tmp_path: Path) -> None:
    inside = zipfile.ZipFile(built("wheel", tmp_path)).namelist()
    assert {name for name in inside if "dist-info" not in name} == SOURCES
    assert "dermserve/py.typed" in SOURCES


def test_the_licence_is_that_of_the_service() -> None:
    assert (CLIENT / "LICENSE").read_bytes() == (CLIENT.parent / "LICENSE").read_bytes()


def test_a_wheel_can_be_built_from_the_source_distribution(tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    inside = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    # hatchling adds the .gitignore, so that what it builds of the unpacked files is the same
    assert inside == SOURCES | {"README.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"}
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation")
    made = run(*pip, "--wheel-dir", tmp_path / "wheel", unpacked)
    assert made.returncode == 0, made.stderr
    (wheel,) = (tmp_path / "wheel").iterdir()
    assert {name for name in zipfile.ZipFile(wheel).namelist() if "dist-info" not in name} == SOURCES


def test_a_users_script_runs_and_has_types(python: Path, service: Script, tmp_path: Path) -> None:
    script, wrong = tmp_path / "script.py", tmp_path / "wrong.py"
    script.write_text(SCRIPT)
    wrong.write_text(WRONG)
    done = run(python, script, service.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{ANSWER['summary']['headline']} medium a1"] * 2
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache")
    checked = run(*mypy, script, *EXAMPLES)
    assert checked.returncode == 0, checked.stdout
    found = run(*mypy, wrong).stdout
    assert '"agee"' in found
    assert 'has no attribute "tone"' in found


def test_the_installed_command(python: Path, service: Script, tmp_path: Path) -> None:
    photo = tmp_path / "skin.jpg"
    photo.write_bytes(b"a photo")
    for command in ((python.with_name("dermserve"),), (python, "-m", "dermserve")):
        done = run(*command, photo, "--url", service.url)
        assert done.returncode == 0, done.stderr
        assert ANSWER["summary"]["headline"] in done.stdout


def test_the_command_states_its_version(python: Path) -> None:
    version = run(python, "-c", "from importlib.metadata import version; print(version('dermserve'))").stdout
    assert run(python.with_name("dermserve"), "--version").stdout == f"dermserve {version}"

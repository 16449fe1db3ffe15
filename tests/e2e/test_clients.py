"""Those who call the service: the command, the examples, and the web clients that were there before."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import REPOSITORY, Server, skin_photo


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "skin.jpg"
    path.write_bytes(skin_photo())
    return path


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run from the repository, as its readers do."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_a_line_and_a_table(server: Server, photo: Path) -> None:
    command = (sys.executable, "-m", "client", photo, "--url", server.url, "--age", 54, "--body-site", "arm")
    done = run(*command)
    assert done.returncode == 0, done.stderr
    answer = json.loads(run(*command, "--json").stdout)
    headline = answer["summary"]["headline"]
    first, *others = done.stdout.splitlines()
    assert first.startswith(f"{photo}: {headline} (")
    assert others[-1] == answer["disclaimer"]
    done = run(*command, "--full")
    assert done.returncode == 0, done.stderr
    for text in ("reasons: synthetic index", "Skin tone", "Similar cases", "Lesion classes (sklesion)", "doctor"):
        assert text in done.stdout


def test_the_command_saves_what_the_service_answers(server: Server, photo: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "client", photo, "--url", server.url, "--out", tmp_path / "out")
    first, again = run(*command, "--language", "es"), run(*command, "--language", "es")
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert first.stdout == again.stdout
    (answer,) = (tmp_path / "out").rglob("answer.json")
    saved = json.loads(answer.read_text())
    assert saved["language"] == "es"
    assert saved["summary"]["headline"] in (answer.parent / "report.html").read_text()


def test_the_installed_command_prints_an_analysis(server: Server, photo: Path, tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--no-index")
    installed = run(*pip, "--target", tmp_path, REPOSITORY / "client", HOME=str(tmp_path))
    assert installed.returncode == 0, installed.stderr
    command = (sys.executable, tmp_path / "bin" / "dermserve", photo, "--url", server.url, "--full")
    done = run(*command, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Similar cases" in done.stdout


def test_the_command_gives_the_services_own_json(server: Server, photo: Path) -> None:
    answer = json.loads(run(sys.executable, "-m", "client", photo, "--url", server.url, "--json").stdout)
    assert answer["success"] is True
    assert answer["skin"]["tone"]["group"] is not None


def test_the_command_says_what_to_do_about_a_bad_photo(server: Server, photo: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(photo.read_bytes()[:5000])
    done = run(sys.executable, "-m", "client", bad, photo, "--url", server.url)
    assert done.returncode == 1
    assert "Send the original file" in done.stderr
    assert "skin.jpg" in done.stdout


@pytest.mark.parametrize("form", ["multipart", "base64", "data URL"])
def test_the_old_web_clients_find_what_they_look_for(server: Server, form: str) -> None:
    """A form's upload, and JSON with ``image_data`` and the person's data in an object of their own."""
    text = base64.b64encode(skin_photo()).decode()
    person = {"age": 34, "gender": "Female"}
    requests_of = {
        "multipart": {
            "files": {"image": ("blob", skin_photo(), "image/jpeg")},
            "data": {"user_demographics": json.dumps(person)},
        },
        "base64": {"json": {"image_data": text, "user_demographics": person, "analysis_type": "comprehensive"}},
        "data URL": {"json": {"image_data": f"data:image/jpeg;base64,{text}", "user_parameters": person}},
    }
    response = server.post(**requests_of[form], headers={"Origin": "http://localhost:3000", "Accept": "*/*"})
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    answer = response.json()
    assert answer["success"] is True
    assert isinstance(answer["analysis_id"], str)
    assert isinstance(answer["timestamp"], str)
    refused = server.post(json={"image_data": "data:image/jpeg;base64,AAAA"})
    assert refused.status_code == 415
    assert refused.json()["success"] is False
    assert isinstance(refused.json()["error"]["message"], str)

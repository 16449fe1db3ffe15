"""The README's commands do what it says, and what the documents name is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import REPOSITORY, Server, skin_photo

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
#: test_client_package.py installs the client
COMMANDS = [
    line for block in BLOCKS for line in block.splitlines() if line and not line.startswith(("make ", "pipx install "))
]
DOCUMENTS = [
    path
    for path in (
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *REPOSITORY.glob("examples/*.md"),
        REPOSITORY / "client" / "README.md",
    )
    if path.is_file()
]
_START_S = 240


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_works(server: Server, tmp_path: Path, command: str) -> None:
    for name in ("face.jpg", "view1.jpg", "view2.jpg"):
        (tmp_path / name).write_bytes(skin_photo(seed=len(name)))
    arguments = shlex.split(command.replace("http://127.0.0.1:8000", server.url))
    if arguments[0] == "curl":
        arguments += ["--fail", "--silent"]
    elif arguments[0] == "dermserve":
        arguments[:1] = [sys.executable, "-m", "client"]
    else:
        arguments[0] = str(Path(sys.executable).with_name(Path(arguments[0]).name))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "DERMSERVE_URL": server.url}
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert any(sign in done.stdout for sign in ('"success":true', '"status":"ready"', "photo quality"))


def test_the_first_command_of_the_readme_gives_a_newcomer_an_analysis(var_folder: Path, tmp_path: Path) -> None:
    """``make serve``, as far as it goes here: the environment is this one. Then the command that it prints, run as it
    stands, and the page."""
    assert BLOCKS[0].splitlines() == ["make serve"]
    environment = Path(sys.prefix)
    command = ["make", "serve", f"VENV={environment}", f"--old-file={environment}/.installed"]
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PORT": "0"}
    variables |= {"DERMSERVE_VAR": str(var_folder.resolve()), "DERMSERVE_STOP_DELAY_S": "0", "GUNICORN_WORKERS": "1"}
    log = (tmp_path / "log").open("w")
    with (
        log,
        subprocess.Popen(
            command, cwd=REPOSITORY, env=variables, stdout=log, stderr=subprocess.PIPE, text=True
        ) as service,
    ):
        alarm = threading.Timer(_START_S, service.kill)
        alarm.start()
        try:
            said = service.stderr or ()
            ready = next((line for line in said if line.startswith("DermServe is ready at ")), "")
            assert ready, (tmp_path / "log").read_text()[-2000:]
            tried = shlex.split(ready.partition("— try: ")[2])
            page = ["curl", ready.split()[4] + "/"]
            answer, front = (
                subprocess.run([*one, "--fail", "--silent"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
                for one in (tried, page)
            )
        finally:
            alarm.cancel()
            service.send_signal(signal.SIGTERM)
            service.communicate(timeout=60)
    assert json.loads(answer.stdout)["similar_cases"][0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert "<dermserve-analyzer" in front.stdout


def test_the_readmes_answer_has_the_form_of_a_real_one(server: Server) -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0])
    real = server.post(files={"image": skin_photo()}).json()
    assert _unknown(shown, real) == []
    explained = re.findall(
        r"^\| `([a-z_]+)` \| ", README.partition("explained")[2].partition("## The API")[0], re.MULTILINE
    )
    assert set(explained) <= set(real)
    assert explained[0] == "summary"


def _unknown(shown: Any, real: Any, place: str = "") -> list[str]:
    """Where ``shown`` has a key that ``real`` does not have."""
    if isinstance(shown, dict) and isinstance(real, dict) and "differential" not in place.rpartition(".")[2]:
        missing = [f"{place}.{name}" for name in shown.keys() - real.keys()]
        return missing + [
            each for name in shown.keys() & real.keys() for each in _unknown(shown[name], real[name], f"{place}.{name}")
        ]
    if isinstance(shown, list) and isinstance(real, list) and shown and real:
        return _unknown(shown[0], real[0], place)
    return []


def test_what_documents_name_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for target in set(re.findall(r"`make ([a-z-]+)", text)):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document.name}: make {target}"
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in link and not link.startswith("mailto:"):
                assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_readme_is_for_people_in_a_hurry() -> None:
    assert len(README.splitlines()) < 160

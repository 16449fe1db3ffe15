"""The README's commands do what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.e2e.server import REPOSITORY, Server, skin_photo

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)[0].splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_works(server: Server, tmp_path: Path, command: str) -> None:
    for name in ("face.jpg", "view1.jpg", "view2.jpg"):
        (tmp_path / name).write_bytes(skin_photo(seed=len(name)))
    arguments = shlex.split(command.replace("http://127.0.0.1:8000", server.url))
    done = subprocess.run([*arguments, "--fail", "--silent"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert '"success":true' in done.stdout or '"status":"ready"' in done.stdout


def test_what_the_readme_names_exists() -> None:
    targets = set(re.findall(r"`make ([a-z-]+)`", README))
    makefile = (REPOSITORY / "Makefile").read_text()
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    links = re.findall(r"\]\((docs/[^)#]+)\)", README)
    assert links
    assert all((REPOSITORY / link).exists() for link in links)

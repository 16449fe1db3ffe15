"""Every example runs with every kind of photo: a face, a lesion, no skin, an unusable photo, and no photo."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tests.e2e.server import REPOSITORY, Server, skin_photo
from tests.tools import tool_or_skip

EXAMPLES = REPOSITORY / "examples"
#: the programs; tests/browser runs the example for web pages
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_file() and path.name != "README.md")


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


#: kind of photo → a photo, and what each example prints about it
KINDS = {
    "face": (lambda: png(data.astronaut()), "synthetic_index"),
    "lesion": (skin_photo, "synthetic_index"),
    "no skin": (lambda: png(data.coffee()), "not_skin"),
    "unusable": (lambda: png(np.zeros((240, 320, 3), np.uint8)), "unusable_photo"),
}


def run(name: str, photo: Path, url: str) -> subprocess.CompletedProcess[str]:
    command = {
        ".sh": ["bash"],
        ".py": [sys.executable],
        ".mjs": [tool_or_skip("node", must="run the JavaScript example", skipped="the JavaScript example is not run")]
        if name.endswith(".mjs")
        else [],
    }[Path(name).suffix]
    arguments = [url, photo] if name == "analyze_async.py" else [photo, url]
    return subprocess.run(
        [*command, EXAMPLES / name, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "client")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_an_example_prints_the_answer(server: Server, tmp_path: Path, name: str, kind: str) -> None:
    make, reason = KINDS[kind]
    photo = tmp_path / "photo"
    photo.write_bytes(make())
    done = run(name, photo, server.url)
    assert done.returncode == 0, done.stderr
    headline = server.post(files={"image": make()}).json()["summary"]["headline"]
    for text in (headline, reason, "doctor"):
        assert text in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_why_a_file_is_refused(server: Server, name: str) -> None:
    refused = run(name, REPOSITORY / "README.md", server.url)
    assert refused.returncode != 0
    assert "not an image" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_listed(name: str) -> None:
    listed = (EXAMPLES / "README.md").read_text()
    assert f"]({name})" in listed

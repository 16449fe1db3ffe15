"""A newcomer takes the examples from the page at /api/docs, saves photos under the names in them, and runs them as they
are written."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from tests.dicom_files import dicom
from tests.docs_page import DocsPage
from tests.e2e.server import Server, running_server, skin_photo
from tests.tools import tool_or_skip

KEY = "0123456789abcdef"


def dicom_file() -> bytes:
    """The same photo as a clinic's camera saves it."""
    return dicom(np.asarray(Image.open(io.BytesIO(skin_photo()))))


#: name of a photo in an example → the photo
PHOTOS: Mapping[str, Callable[[], bytes]] = {
    "skin.jpg": skin_photo,
    "view1.jpg": skin_photo,
    "view2.jpg": lambda: skin_photo(seed=2),
    "january.jpg": skin_photo,
    "march.jpg": lambda: skin_photo(seed=2),
    "photo.dcm": dicom_file,
}
#: examples that are run elsewhere: in a browser, and as a setting (tests/browser/test_docs.py)
ELSEWHERE = {"browser.js", "component.html", "cors.sh"}


def node_or_skip() -> str:
    return tool_or_skip("node", must="run the JavaScript of the page", skipped="the page's JavaScript is not run")


def snippets(server: Server) -> dict[str, str]:
    return DocsPage(server.get("/api/docs").text).snippets


def run(name: str, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an example in ``folder`` with the photos that it names."""
    for photo, made in PHOTOS.items():
        if photo in code and not (folder / photo).exists():
            (folder / photo).write_bytes(made())
    file = folder / name
    file.write_text(code, encoding="utf-8")
    node = node_or_skip() if name.endswith(".mjs") else ""
    runner = {".sh": ["bash"], ".py": [sys.executable], ".mjs": [node]}[file.suffix]
    # Nothing of this repository: a newcomer does not have it.
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUTF8": "1"}
    return subprocess.run(
        [*runner, file], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def headline_of(server: Server, photo: bytes, **arguments: Any) -> str:
    """The headline of the service's answer to a photo."""
    headline: str = server.post(files={"image": photo}, **arguments).json()["summary"]["headline"]
    return headline


def printed_headline(name: str, output: str) -> str:
    """The headline in what an example printed: an answer's JSON, or the headline on the first line."""
    if name.endswith(".sh"):
        return str(json.loads(output)["summary"]["headline"])
    return output.splitlines()[0]


@pytest.mark.parametrize("name", ["quickstart.sh", "quickstart.py", "quickstart.mjs"])
def test_the_first_request_prints_a_headline(server: Server, tmp_path: Path, name: str) -> None:
    done = run(name, snippets(server)[name], tmp_path)
    assert done.returncode == 0, done.stderr
    assert printed_headline(name, done.stdout) == headline_of(server, skin_photo())


@pytest.mark.parametrize("name", ["quickstart.sh", "quickstart.py", "quickstart.mjs"])
def test_an_error_is_printed_in_words(server: Server, tmp_path: Path, name: str) -> None:
    (tmp_path / "skin.jpg").write_bytes(b"these bytes are no image")
    done = run(name, snippets(server)[name], tmp_path)
    assert server.post(files={"image": b"these bytes are no image"}).json()["error"]["message"] in done.stdout


def test_the_first_request_works_with_a_key(tmp_path: Path) -> None:
    settings = {"USE_MOCK_SERVICES": "true", "FLASK_ENV": "development", "DERMSERVE_API_KEYS": KEY}
    with running_server(tmp_path, tmp_path, settings) as server:
        expected = headline_of(server, skin_photo(), headers={"X-API-Key": KEY})
        for name in ("quickstart.sh", "quickstart.py", "quickstart.mjs"):
            code = snippets(server)[name]
            assert KEY not in code
            done = run(name, code.replace("YOUR_KEY", KEY), tmp_path)
            assert printed_headline(name, done.stdout) == expected


def test_every_recipe_runs(server: Server, tmp_path: Path) -> None:
    shown = snippets(server)
    for name in sorted(shown.keys() - ELSEWHERE):
        done = run(name, shown[name], tmp_path)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        assert done.stdout.strip(), name
        if name.endswith(".sh"):
            assert "error" not in json.loads(done.stdout), name


def test_the_recipes_print_the_headline(server: Server, tmp_path: Path) -> None:
    shown, expected = snippets(server), headline_of(server, skin_photo())
    for name in ("not_skin.py", "abstention.py", "overload.py", "overload.mjs"):
        assert run(name, shown[name], tmp_path).stdout.splitlines()[0] == expected, name


def test_the_recipe_for_an_abstention_prints_the_reasons(server: Server, tmp_path: Path) -> None:
    """The sample index is synthetic, so no condition is named."""
    printed = run("abstention.py", snippets(server)["abstention.py"], tmp_path).stdout
    assert "No condition is named: " in printed
    assert "synthetic_index" in printed


def test_the_recipe_for_no_skin_prints_what_to_do(server: Server, tmp_path: Path) -> None:
    (tmp_path / "skin.jpg").write_bytes(stripes())
    done = run("not_skin.py", snippets(server)["not_skin.py"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Ask for another photo: " in done.stdout


@pytest.mark.parametrize("name", ["overload.py", "overload.mjs"])
def test_the_recipe_for_overload_waits_and_sends_again(server: Server, tmp_path: Path, name: str) -> None:
    with busy_service(refusals=2) as (address, received):
        page = requests.get(f"{server.url}/api/docs", headers={"Host": address}, timeout=30).text
        done = run(name, DocsPage(page).snippets[name], tmp_path)
    assert done.stdout.strip() == "An answer after two refusals."
    assert len(received) == 3
    assert all(skin_photo() in body for body in received)


@pytest.mark.parametrize("name", ["overload.py", "overload.mjs"])
def test_the_recipe_for_overload_gives_up(server: Server, tmp_path: Path, name: str) -> None:
    with busy_service(refusals=20) as (address, received):
        page = requests.get(f"{server.url}/api/docs", headers={"Host": address}, timeout=30).text
        done = run(name, DocsPage(page).snippets[name], tmp_path)
    assert done.stdout.strip() == "The service is full."
    assert len(received) in (5, 6)


def stripes() -> bytes:
    """A photo of a blue fabric."""
    pixels = np.zeros((240, 320, 3), np.uint8)
    pixels[:, :, 2] = 200
    pixels[::8] = (20, 40, 90)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


@contextmanager
def busy_service(refusals: int) -> Iterator[tuple[str, list[bytes]]]:
    """(host and port, bodies received) of a service that refuses so many requests, then answers."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            busy = len(received) <= refusals
            answer: dict[str, object] = {"success": not busy, "summary": {"headline": "An answer after two refusals."}}
            body = json.dumps(answer | {"error": {"message": "The service is full."}}).encode()
            self.send_response(503 if busy else 200)
            if busy:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{service.server_port}", received
        finally:
            service.shutdown()
            thread.join()

"""Bad input over a real socket: a clear error each time, and the service goes on."""

from __future__ import annotations

import base64
import csv
import io
import zlib
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from tests.e2e.server import Server, skin_photo


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def tiny() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 300, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


IMAGES = {
    "empty": (b"", 400),
    "not an image": (b"<html>hello</html>", 415),
    "a PDF": (b"%PDF-1.7 ...", 415),
    "truncated": (skin_photo()[:2000], 422),
    "too small": (tiny(), 422),
    "too many pixels": (png_header(60_000, 60_000), 413),
    "just too many pixels": (png_header(8_000, 8_001), 413),
}


def assert_error(response: requests.Response, status: int) -> None:
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"success", "error", "request_id"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["message"]
    assert response.headers["X-Request-ID"] == body["request_id"]


@pytest.mark.parametrize("name", IMAGES)
def test_a_bad_image_gets_its_status(server: Server, name: str) -> None:
    image, status = IMAGES[name]
    assert_error(server.post(files={"image": ("skin.jpg", image)}), status)
    if image:
        assert_error(server.post(json={"image": base64.b64encode(image).decode()}), status)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({}, 400),
        ({"data": "{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"image": "not base64!"}}, 400),
        ({"json": {"other": 1}}, 400),
        ({"files": {"image": skin_photo()}, "data": {"age": "200"}}, 422),
        ({"files": {"image": skin_photo()}, "data": {"body_site": "the moon"}}, 422),
        ({"data": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
    ],
)
def test_a_malformed_request_gets_its_status(server: Server, arguments: dict[str, object], status: int) -> None:
    assert_error(server.post(**arguments), status)


def test_a_body_over_the_limit_is_refused(server: Server) -> None:
    over = b"\xff\xd8" + bytes(101 * 2**20)
    assert_error(server.post(data=over, headers={"Content-Type": "image/jpeg"}), 413)


def test_unknown_routes_and_methods(server: Server) -> None:
    assert_error(server.get("/no/such/route"), 404)
    assert_error(requests.delete(server.url + "/api/analyze/skin", timeout=30), 405)
    assert_error(server.get("/api/cases/1/99"), 404)


def test_awkward_files_neither_break_nor_swell_the_service(server: Server, shared_data: Path) -> None:
    folder = shared_data / "badimages"
    before = {worker.pid: worker.memory_info().rss for worker in server.workers()}
    with (folder / "MANIFEST.csv").open(newline="") as manifest:
        names = [row["file"] for row in csv.DictReader(manifest)]
    for name in names:
        response = server.post(files={"image": (folder / name).read_bytes()})
        assert response.status_code in {200, 400, 413, 415, 422}, f"{name}: {response.status_code}"
    after = {worker.pid: worker.memory_info().rss for worker in server.workers()}
    assert after.keys() == before.keys()
    assert all(after[pid] - before[pid] < 300 * 2**20 for pid in before)
    assert server.post(files={"image": skin_photo()}).status_code == 200

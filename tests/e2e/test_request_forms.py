"""Photos as real clients send them, over a real socket: analysed, or refused with advice."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path

import pytest

from tests.e2e.server import Server, skin_photo

PHOTO = skin_photo()
TEXT = base64.b64encode(PHOTO).decode()
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=BB"


def part(head: str, content: bytes) -> bytes:
    lines = [b"--BB", b"Content-Disposition: form-data; " + head.encode().replace(b"\n", b"\r\n"), b"", content]
    return b"\r\n".join([*lines, b"--BB--", b""])


#: name → (content type, body, further headers)
FORMS: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "React Native without a name": (MULTIPART, part('name="image"\nContent-Type: image/jpeg', PHOTO), {}),
    "Flutter": (MULTIPART, part('name="file"; filename="a.jpg"\ncontent-type: application/octet-stream', PHOTO), {}),
    "an indexed name": (MULTIPART, part('name="file[0]"; filename="a.jpg"', PHOTO), {}),
    "an unknown name": (MULTIPART, part('name="skin"; filename="a.jpg"', PHOTO), {}),
    "a part of base64": (
        MULTIPART,
        part('name="image"; filename="a.jpg"\nContent-Transfer-Encoding: base64', base64.encodebytes(PHOTO)),
        {},
    ),
    "a form whose plus signs are bare": (FORM, f"age=undefined&image={TEXT}".encode(), {}),
    "bytes without a type": ("", PHOTO, {}),
    "bytes of another type": ("binary/octet-stream", PHOTO, {}),
    "bytes that curl calls a form": (FORM, PHOTO, {}),
    "JSON of nothings": (
        "application/json",
        json.dumps({"photo": TEXT, "age": "undefined", "sex": "null", "k": ""}).encode(),
        {},
    ),
    "gzip": ("Image/JPEG", gzip.compress(PHOTO), {"Content-Encoding": "gzip"}),
    "deflate": (
        "application/json",
        zlib.compress(json.dumps({"image": TEXT}).encode()),
        {"Content-Encoding": "deflate"},
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_photo_is_found(server: Server, name: str) -> None:
    content_type, body, headers = FORMS[name]
    response = server.post(data=body, headers={"Content-Type": content_type, **headers})
    assert response.status_code == 200, response.text
    assert response.json()["image"]["width"] == 320


def test_the_reported_part_without_a_file_name_is_analysed(server: Server, shared_data: Path) -> None:
    body = (shared_data / "reported" / "17_multipart_part_without_filename.body").read_bytes()
    response = server.post(data=body, headers={"Content-Type": MULTIPART})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("body", "encoding", "status", "code"),
    [
        (gzip.compress(bytes(300 * 2**20), 1), "gzip", 413, "body_too_large"),
        (gzip.compress(PHOTO)[:-20], "gzip", 400, "bad_encoding"),
        (PHOTO, "gzip", 400, "bad_encoding"),
        (PHOTO, "br", 415, "unsupported_media_type"),
    ],
    ids=["bomb", "cut short", "not compressed", "brotli"],
)
def test_a_compressed_body_that_cannot_be_read(
    server: Server, body: bytes, encoding: str, status: int, code: str
) -> None:
    before = {worker.pid: worker.memory_info().rss for worker in server.workers()}
    response = server.post(data=body, headers={"Content-Type": "image/jpeg", "Content-Encoding": encoding})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    after = {worker.pid: worker.memory_info().rss for worker in server.workers()}
    assert after.keys() == before.keys()
    assert all(after[pid] - before[pid] < 250 * 2**20 for pid in before)


def test_a_request_without_a_photo_names_what_arrived(server: Server) -> None:
    error = server.post(files={"age": (None, "30"), "sex": (None, "f")}).json()["error"]
    assert (error["code"], error["details"]) == ("no_image", {"fields": ["age", "sex"]})

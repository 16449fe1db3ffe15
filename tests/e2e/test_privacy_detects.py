"""The tests of privacy can fail: a service that leaks is found out, whatever way it leaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.careless_service import LEAKS
from tests.e2e.private_photo import NAME, PrivatePhoto, private_photo
from tests.e2e.server import ANALYZE
from tests.e2e.traced_life import Life, post, traced_life

#: way of leaking → (what is found of the photo, the file that betrays it)
FOUND = {
    "spool": ("bytes", "(deleted)"),
    "keep": ("bytes", "last-upload"),
    "share": ("bytes", "memfd:upload"),
    "map": ("digest", "mapped"),
    "log name": ("name", "stdout.log"),
    "log base64": ("bytes", "stdout.log"),
    "log digest": ("digest", "stdout.log"),
    "log owner": ("EXIF owner", "pipe:"),
}


@pytest.fixture(scope="module")
def photo() -> PrivatePhoto:
    return private_photo()


@pytest.fixture(scope="module")
def life(photo: PrivatePhoto, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Each leak once, and a crash whose error quotes the photo."""
    folder = tmp_path_factory.mktemp("careless")
    with traced_life(folder, folder, "tests.e2e.careless_service:leaking") as running:
        for leak in (*LEAKS, None):
            form = {"files": {"image": (NAME, photo.upload)}, "headers": {"X-Leak": leak}, "data": {"k": "3"}}
            running.answers[str(leak)] = post(running.url + ANALYZE, form)
        crash = {"files": {"image": (NAME, photo.upload)}, "data": {"k": "50"}, "headers": {"X-Request-ID": "crash"}}
        running.answers["crash"] = post(running.url + ANALYZE, crash)
        running.keep_what_is_left()
    return running


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found(life: Life, photo: PrivatePhoto, leak: str) -> None:
    assert life.answers[leak].status_code == 200
    what, where = FOUND[leak]
    written = {call.target for call in life.written(life.service) if what in photo.found_in(call.data)}
    left = {name for name, content in life.left.items() if what in photo.found_in(content)}
    assert any(where in place for place in written | left)
    if "." not in where and ":" not in where:
        assert any(where in place for place in life.places(life.service))


def test_a_crash_is_logged_by_its_place_and_kind_without_its_text(life: Life, photo: PrivatePhoto) -> None:
    assert life.answers["crash"].status_code == 500
    log = Path(life.folder / "service" / "stdout.log").read_text()
    (line,) = [line for line in map(json.loads, log.splitlines()) if line["event"] == "error"]
    assert line["request_id"] == "crash"
    assert line["exception"].endswith("builtins.ValueError")
    assert "careless_service.py:" in line["exception"]
    assert photo.found_in(json.dumps(line).encode()) == set()
    assert photo.found_in(life.answers["crash"].content) == set()

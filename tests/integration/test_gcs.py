"""Google Cloud Storage over a socket: an emulator stands in for Google's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from storage import ChecksumError, NotFoundError, StorageError, base, open_storage
from storage.base import read_many
from tests.tools import free_port

# Google's client asks for a helper of its gRPC transport, which is not used here.
pytestmark = pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning")

OBJECTS = {f"dataset/images/{n:02}.png": bytes([n]) * (n + 1) for n in range(30)}
OBJECTS |= {"dataset/scin_cases.csv": b"case_id\n", "datasets/other.csv": b"x", "top.txt": b"top"}


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    from gcp_storage_emulator.server import create_server

    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="skin")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def bucket(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A google.cloud.storage.Bucket of the emulator, filled."""
    from google.cloud import storage as google_storage

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator)
    made = google_storage.Client.create_anonymous_client().bucket("skin")
    if not made.blob("top.txt").exists():
        for name, content in OBJECTS.items():
            made.blob(name).upload_from_string(content)
    return made


def test_objects_are_listed_in_name_order(bucket: Any) -> None:
    found = list(open_storage("gs://skin/dataset").list("images/"))
    assert [info.name for info in found] == [f"images/{n:02}.png" for n in range(30)]
    assert [info.size for info in found] == [n + 1 for n in range(30)]
    assert all(isinstance(info.modified, datetime) for info in found)


@pytest.mark.parametrize("uri", ["gs://skin/dataset", "gs://skin/dataset/"])
def test_a_prefix_is_a_folder(bucket: Any, uri: str) -> None:
    store = open_storage(uri)
    assert store.read("scin_cases.csv") == b"case_id\n"
    assert "other.csv" not in {info.name for info in store.list()}


def test_a_bucket_alone(bucket: Any) -> None:
    assert open_storage("gs://skin").read("top.txt") == b"top"


def test_an_object_that_is_not_there(bucket: Any) -> None:
    with pytest.raises(NotFoundError, match=r"none\.csv is not in gs://skin"):
        open_storage("gs://skin").read("none.csv")


def test_a_bucket_that_is_not_there(bucket: Any) -> None:
    store = open_storage("gs://no-such-bucket/dataset")
    with pytest.raises(NotFoundError):
        store.read("scin_cases.csv")
    with pytest.raises(StorageError, match="check the bucket's name"):
        list(store.list())


def test_many_are_read_at_once(bucket: Any) -> None:
    names = [f"images/{n:02}.png" for n in range(30)] + ["images/none.png"]
    found = dict(read_many(open_storage("gs://skin/dataset"), names))
    assert isinstance(found.pop("images/none.png"), NotFoundError)
    assert all(found[name] == OBJECTS[f"dataset/{name}"] for name in names[:-1])


class Damaging(BaseHTTPRequestHandler):
    """Answers every download with bytes that are not those of the stated checksum."""

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.send_header("X-Goog-Hash", "crc32c=AAAAAA==,md5=1B2M2Y8AsgTpgAmY7PhCfg==")
        self.end_headers()
        self.wfile.write(b"skin")


def test_a_transfer_that_does_not_match_its_checksum_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), Damaging) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        monkeypatch.setattr(base, "FIRST_WAIT_S", 0)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(ChecksumError, match=r"x\.png arrived damaged from gs://skin"):
            open_storage("gs://skin").read("x.png")
        server.shutdown()

"""Reading over HTTP from a server on this machine that fails as real ones do."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from storage import NotFoundError, StorageError, base, open_storage, web
from storage.base import read_many

CONTENT = bytes(range(256)) * 64


class Handler(BaseHTTPRequestHandler):
    """``/files/…`` as the name says: missing, busy once or for an hour, always failing, cut in the middle."""

    seen: Counter[str]

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.seen[self.path] += 1
        name = self.path.rsplit("/", 1)[-1]
        if name == "missing.bin":
            self.answer(404, b"no such file")
        elif name == "forbidden.bin":
            self.answer(403, b"no")
        elif name == "failing.bin" or (name == "busy.bin" and self.seen[self.path] == 1):
            self.answer(503, b"later")
        elif name == "hour.bin" and self.seen[self.path] == 1:
            self.answer(503, b"later", retry_after="3600")
        elif name == "cut.bin":
            self.answer(200, CONTENT, sent=len(CONTENT) // 2)
        elif name == "moved.bin":
            self.answer(302, b"", location="/files/whole.bin")
        else:
            self.answer(200, CONTENT)

    def answer(
        self, status: int, body: bytes, sent: int | None = None, location: str | None = None, retry_after: str = "0"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", retry_after)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body[:sent])


@pytest.fixture(autouse=True)
def retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "FIRST_WAIT_S", 0)
    monkeypatch.setattr(web, "_RETRY", web._RETRY.new(backoff_factor=0))


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    handler = type("OwnHandler", (Handler,), {"seen": Counter()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/files"


def seen(server: ThreadingHTTPServer, name: str) -> int:
    return server.RequestHandlerClass.seen[f"/files/{name}"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_file_is_read_whole(address: str, end: str) -> None:
    assert open_storage(address + end).read("whole.bin") == CONTENT


def test_a_redirect_is_followed(address: str) -> None:
    assert open_storage(address).read("moved.bin") == CONTENT


def test_names_are_quoted(address: str, server: ThreadingHTTPServer) -> None:
    open_storage(address).read("sub/a b?#ü.bin")
    assert seen(server, "sub/a%20b%3F%23%C3%BC.bin") == 1


def test_a_missing_file_is_asked_for_once(address: str, server: ThreadingHTTPServer) -> None:
    with pytest.raises(NotFoundError, match=r"missing\.bin is not at"):
        open_storage(address).read("missing.bin")
    assert seen(server, "missing.bin") == 1


def test_a_busy_server_is_asked_again(address: str, server: ThreadingHTTPServer) -> None:
    assert open_storage(address).read("busy.bin") == CONTENT
    assert seen(server, "busy.bin") == 2


def test_a_server_that_stays_busy_is_given_up_on(address: str, server: ThreadingHTTPServer) -> None:
    with pytest.raises(StorageError, match=r"answered 503 for failing\.bin"):
        open_storage(address).read("failing.bin")
    assert seen(server, "failing.bin") == 5


def test_a_server_that_asks_for_an_hour_is_asked_again_sooner(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=waits.append))
    assert open_storage(address).read("hour.bin") == CONTENT
    assert waits == [30]


def test_a_refusal_is_told(address: str) -> None:
    with pytest.raises(StorageError, match="answered 403"):
        open_storage(address).read("forbidden.bin")


def test_a_transfer_that_is_cut_gives_an_error_and_no_part(address: str) -> None:
    with pytest.raises(StorageError, match=r"cut\.bin could not be read"):
        open_storage(address).read("cut.bin")


def test_one_bad_file_among_many(address: str) -> None:
    found = dict(read_many(open_storage(address), [f"{n}.bin" for n in range(20)] + ["cut.bin"]))
    assert isinstance(found.pop("cut.bin"), StorageError)
    assert len(found) == 20
    assert all(content == CONTENT for content in found.values())


def test_there_is_no_listing(address: str) -> None:
    with pytest.raises(StorageError, match="cannot be listed"):
        open_storage(address).list()


def test_a_server_that_is_not_there() -> None:
    """Port 9 of this machine, where nothing listens; the refusals come at once."""
    store = open_storage("http://127.0.0.1:9")
    with pytest.raises(StorageError, match="try again later"):
        store.read("x.bin")

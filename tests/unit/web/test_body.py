from __future__ import annotations

import io
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from web.body import Readable, drain, read_all, request_body
from web.errors import (
    BadEncodingError,
    BodyTooLargeError,
    IncompleteBodyError,
    SlowUploadError,
    UnsupportedBodyError,
)
from web.uploads import PIECE_TIMEOUT_S, Uploads


class Stalled(io.BytesIO):
    """Ends as a socket does whose peer is silent."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size) or self._stall()

    def _stall(self) -> bytes:
        raise TimeoutError("timed out")


class Socket:
    def __init__(self) -> None:
        self.timeouts: list[float | None] = []

    def settimeout(self, seconds: float | None) -> None:
        self.timeouts.append(seconds)

    def shutdown(self, how: int) -> None:
        self.timeouts.append(None)


def environ(stream: io.BytesIO, length: int | None = None, **more: Any) -> dict[str, Any]:
    found = {"wsgi.input": stream, "wsgi.input_terminated": True, "REQUEST_METHOD": "POST", **more}
    return found if length is None else {**found, "CONTENT_LENGTH": str(length)}


def body(found: dict[str, Any], limit: int = 100, seconds: float = 30) -> Readable:
    return request_body(found, limit=limit, deadline=Deadline(seconds), uploads=Uploads())


@pytest.mark.parametrize("length", [None, 100])
def test_a_body_comes_through_whole(length: int | None) -> None:
    assert read_all(body(environ(io.BytesIO(bytes(100)), length))) == bytes(100)


def test_one_byte_too_many_is_refused_announced_or_not() -> None:
    with pytest.raises(BodyTooLargeError):
        body(environ(io.BytesIO(), 101))
    with pytest.raises(BodyTooLargeError):
        read_all(body(environ(io.BytesIO(bytes(101)))))


def test_a_body_that_ends_early_is_incomplete() -> None:
    with pytest.raises(IncompleteBodyError):
        read_all(body(environ(io.BytesIO(bytes(10)), 20)))


def test_a_connection_that_breaks_is_incomplete() -> None:
    with pytest.raises(IncompleteBodyError):
        read_all(body(environ(Stalled(bytes(10)), 20)))


def test_a_sender_past_the_deadline_is_cut_off_and_its_socket_never_waits_longer() -> None:
    socket = Socket()
    with pytest.raises(DeadlineExceededError) as caught:
        read_all(body(environ(io.BytesIO(bytes(10)), 20, **{"gunicorn.socket": socket}), seconds=0))
    assert caught.value.details["stage"] == "upload"
    read_all(body(environ(io.BytesIO(bytes(10)), 10, **{"gunicorn.socket": socket}), seconds=30))
    assert all(seconds is None or seconds <= 30 for seconds in socket.timeouts)
    assert socket.timeouts[-1] is None, "the answer is sent without a limit of ours"


#: compressible, and longer than what is read at once
TEXT = b"".join(b"%d skin " % n for n in range(200_000))


def compressed(data: bytes, window: int) -> bytes:
    coder = zlib.compressobj(wbits=window)
    return coder.compress(data) + coder.flush()


STREAMS = {
    "gzip": compressed(TEXT, 31),
    "GZip": compressed(TEXT, 31),
    "x-gzip": compressed(TEXT, 31),
    "identity, gzip": compressed(TEXT, 31),
    "deflate": compressed(TEXT, 15),
    "Deflate": compressed(TEXT, -15),
    "identity": TEXT,
    "": TEXT,
}


def encoded(stream: bytes, encoding: str, limit: int = 10**8) -> Readable:
    return body(environ(io.BytesIO(stream), len(stream), HTTP_CONTENT_ENCODING=encoding), limit)


@pytest.mark.parametrize("encoding", STREAMS)
@pytest.mark.parametrize("size", [1000, 2**20])
def test_a_compressed_body_comes_through_whole(encoding: str, size: int) -> None:
    found, pieces = encoded(STREAMS[encoding], encoding), []
    while piece := found.read(size):
        assert len(piece) <= size
        pieces.append(piece)
    assert b"".join(pieces) == TEXT
    assert found.read(size) == b""


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_an_empty_body_is_empty_whatever_its_encoding(encoding: str) -> None:
    assert encoded(b"", encoding).read(10) == b""
    assert read_all(encoded(compressed(b"", 31), encoding)) == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "base64", "gzip, gzip", "UTF-8"])
def test_another_encoding_is_refused_by_its_header(encoding: str) -> None:
    with pytest.raises(UnsupportedBodyError, match="Content-Encoding"):
        encoded(TEXT, encoding)


@pytest.mark.parametrize("encoding", ["gzip", "Deflate"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda stream: stream[:1],
        lambda stream: stream[:-1],
        lambda stream: stream[: len(stream) // 2],
        lambda stream: stream + b"more",
        lambda stream: b"\xff\xd8\xff\xe0 a photo",
        lambda stream: b'{"image": "..."}',
    ],
)
def test_a_spoilt_stream_is_refused(encoding: str, spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BadEncodingError):
        read_all(encoded(spoil(STREAMS[encoding]), encoding))


def test_bytes_that_were_changed_are_noticed() -> None:
    stream = STREAMS["gzip"]
    with pytest.raises(BadEncodingError):
        read_all(encoded(stream[:3000] + bytes(3000) + stream[6000:], "gzip"))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_refused_at_the_limit_and_takes_no_memory_beyond_it(encoding: str) -> None:
    bomb = compressed(bytes(50 * 2**20), 31)
    limit = 10 * 2**20
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLargeError, match="larger than 10 MiB"):
            read_all(encoded(bomb, encoding, limit))
        assert tracemalloc.get_traced_memory()[1] < limit + 4 * 2**20
    finally:
        tracemalloc.stop()
    at_limit = encoded(compressed(bytes(limit), 31), encoding, limit)
    assert len(read_all(at_limit)) == limit


def test_a_compressed_body_over_the_limit_is_refused_as_it_was_sent() -> None:
    with pytest.raises(BodyTooLargeError):
        encoded(STREAMS["gzip"], "gzip", 100)


class Trickling(io.BytesIO):
    """Ends early, as a reader does whose socket was closed while it waited for more."""

    def __init__(self, uploads: Uploads, give_up: str) -> None:
        super().__init__(bytes(10))
        self._end = getattr(uploads, give_up)

    def read(self, size: int | None = -1) -> bytes:
        self._end()
        return super().read(size)


def test_a_sender_that_had_to_make_way_is_told_so() -> None:
    now = iter([0.0, PIECE_TIMEOUT_S + 1])
    uploads = Uploads(lambda: next(now))
    stream = Trickling(uploads, "make_way")
    slow = request_body(
        environ(stream, 100, **{"gunicorn.socket": Socket()}), limit=100, deadline=Deadline(30), uploads=uploads
    )
    with pytest.raises(SlowUploadError, match="too slow and was stopped"):
        read_all(slow)


def test_what_is_left_of_a_refused_body_is_read() -> None:
    stream, socket = io.BytesIO(bytes(3_000_000)), Socket()
    drain(environ(stream, **{"gunicorn.socket": socket}), Uploads())
    assert stream.read() == b""
    assert socket.timeouts[-1] is None


def test_a_sender_that_has_gone_does_not_disturb_the_answer() -> None:
    drain(environ(Stalled(b"x")), Uploads())


def test_a_server_that_does_not_end_the_stream_is_left_alone() -> None:
    stream = io.BytesIO(b"next request")
    drain({"wsgi.input": stream}, Uploads())
    assert stream.read() == b"next request"

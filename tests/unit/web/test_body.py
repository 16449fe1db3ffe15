from __future__ import annotations

import io
from typing import Any

import pytest

from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from web.body import RequestBody, drain, read_all
from web.errors import BodyTooLargeError, IncompleteBodyError, SlowUploadError
from web.uploads import PATIENCE_S, Uploads


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


def body(found: dict[str, Any], limit: int = 100, seconds: float = 30) -> RequestBody:
    return RequestBody(found, limit=limit, deadline=Deadline(seconds), uploads=Uploads())


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


class Trickling(io.BytesIO):
    """Ends early, as a reader does whose socket was closed while it waited for more."""

    def __init__(self, uploads: Uploads, give_up: str) -> None:
        super().__init__(bytes(10))
        self._end = getattr(uploads, give_up)

    def read(self, size: int | None = -1) -> bytes:
        self._end()
        return super().read(size)


def test_a_sender_that_had_to_make_way_is_told_so() -> None:
    now = iter([0.0, PATIENCE_S + 1])
    uploads = Uploads(lambda: next(now))
    stream = Trickling(uploads, "make_way")
    slow = RequestBody(
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

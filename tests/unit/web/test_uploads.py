from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from web.uploads import PIECE_TIMEOUT_S, Uploads


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def uploads(clock: Clock) -> Uploads:
    return Uploads(clock)


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """(the service's end, the client's end), three times."""
    made = [socket.socketpair() for _ in range(3)]
    yield made
    for ours, theirs in made:
        ours.close()
        theirs.close()


def has_ended(sock: socket.socket) -> bool:
    """Whether a reader of ``sock`` is told that there is no more."""
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False


def test_reading_ends_when_its_time_is_up_and_the_answer_can_still_be_sent(uploads, clock, pairs) -> None:
    ours, theirs = pairs[0]
    with uploads.watch(ours, 5) as upload:
        uploads.cut_overdue()
        assert not has_ended(ours)
        clock.now = 5.0
        uploads.cut_overdue()
        assert upload.cut
        assert has_ended(ours)
    ours.sendall(b"too slow")
    assert theirs.recv(100) == b"too slow"


def test_what_has_ended_by_itself_is_left_alone(uploads, clock, pairs) -> None:
    ours, _ = pairs[0]
    with uploads.watch(ours, 5):
        pass
    clock.now = 100.0
    uploads.cut_overdue()
    uploads.make_way()
    assert not has_ended(ours)


def test_the_slowest_makes_way_one_at_a_time(uploads, clock, pairs) -> None:
    (first, _), (second, _), (headers, _) = pairs
    with uploads.watch(headers, 1000), uploads.watch(first, 1000, yields=True):
        clock.now = 1.0
        with uploads.watch(second, 1000, yields=True):
            uploads.make_way()
            assert not has_ended(first), "it has not been slow yet"
            clock.now = PIECE_TIMEOUT_S + 2
            uploads.make_way()
            assert (has_ended(first), has_ended(second)) == (True, False)
            uploads.make_way()
            assert has_ended(second)
            uploads.make_way()
    assert not has_ended(headers), "only what holds a place can make way"


def test_without_a_socket_nothing_is_watched(uploads) -> None:
    with uploads.watch(None, 0, yields=True) as upload:
        assert upload is None
        uploads.cut_overdue()


def test_a_sender_that_has_gone_is_no_error(uploads, pairs) -> None:
    ours, _ = pairs[0]
    with uploads.watch(ours, 0) as upload:
        ours.close()
        uploads.cut_overdue()
        assert upload.cut

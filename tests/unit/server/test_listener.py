"""With the kernel's own sockets: nothing else knows what a listening socket does."""

from __future__ import annotations

import errno
import select
import socket
import sys
from collections.abc import Iterator

import pytest

from server.listener import begin_no_connection, has_waiting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family, host = request.param
    try:
        made = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("this machine has no such loopback address")
    with made:
        yield made


def begin(listener: socket.socket) -> socket.socket:
    """A client that has sent its first segment and has not waited for more."""
    client = socket.socket(listener.family)
    client.setblocking(False)
    client.connect_ex(listener.getsockname())
    return client


def outcome(client: socket.socket, patience_s: float) -> int | None:
    """How the connection attempt ended: 0, or the error's number; None if it has not."""
    poll = select.poll()
    poll.register(client, select.POLLOUT)
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if poll.poll(patience_s * 1000) else None


def test_no_connection_begins_but_those_that_have_are_served_to_their_end(listener: socket.socket) -> None:
    with begin(listener) as client:
        assert outcome(client, 30) == 0
        assert begin_no_connection(listener)
        with begin(listener) as late:
            assert outcome(late, 0.1) is None
        assert has_waiting(listener)
        ours, _ = listener.accept()
        assert not has_waiting(listener)
        listener.close()
        with ours:
            client.setblocking(True)
            client.sendall(b"a request")
            assert ours.recv(100) == b"a request"
            ours.sendall(b"an answer")
            assert client.recv(100) == b"an answer"


def test_who_is_not_let_in_is_refused_once_the_door_is_closed(listener: socket.socket) -> None:
    begin_no_connection(listener)
    with begin(listener) as client:
        listener.close()
        assert outcome(client, 30) == errno.ECONNREFUSED

"""Whether the client of a request still waits for its answer."""

from __future__ import annotations

import logging
import select
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from web.body import AttendedDeadline, has_left
from web.errors import ClientGoneError

ANALYZE = "/api/analyze/skin"

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """(the service's end, the client's end) of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    with ours, theirs:
        yield ours, theirs


def wait_for_arrival(ours: socket.socket) -> None:
    """Until what the other end did has arrived; takes nothing of it."""
    poller = select.poll()
    poller.register(ours, select.POLLIN)
    assert poller.poll(30_000)


def test_a_client_that_waits_is_there(pair: Pair) -> None:
    assert not has_left(pair[0])


def test_a_client_that_has_closed_is_gone(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    wait_for_arrival(ours)
    assert has_left(ours)


def test_so_is_one_that_will_send_no_more(pair: Pair) -> None:
    ours, theirs = pair
    theirs.shutdown(socket.SHUT_WR)
    wait_for_arrival(ours)
    assert has_left(ours)


def test_so_is_one_that_has_reset_the_connection(pair: Pair) -> None:
    ours, theirs = pair
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    wait_for_arrival(ours)
    assert has_left(ours)


def test_a_request_sent_ahead_is_neither_an_end_nor_eaten(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"GET / HTTP/1.1\r\n")
    wait_for_arrival(ours)
    assert not has_left(ours)
    assert ours.recv(100) == b"GET / HTTP/1.1\r\n"


def test_a_closed_socket_of_our_own_has_no_client(pair: Pair) -> None:
    pair[0].close()
    assert has_left(pair[0])


def test_without_a_socket_nobody_leaves() -> None:
    AttendedDeadline(Deadline(30), None).check("decode")


def test_a_stage_is_started_for_a_client_in_time_alone(pair: Pair) -> None:
    ours, theirs = pair
    whole = Deadline(30)
    attended = AttendedDeadline(whole, ours)
    attended.check("decode")
    assert attended.seconds == 30
    assert 0 < attended.remaining() <= 30
    theirs.close()
    wait_for_arrival(ours)
    with pytest.raises(ClientGoneError) as gone:
        attended.check("encode")
    assert gone.value.details == {"stage": "encode"}
    with pytest.raises(DeadlineExceededError):
        AttendedDeadline(Deadline(0), ours).check("encode")


def post(client: FlaskClient, jpeg: bytes, ours: socket.socket) -> int:
    environ = {"gunicorn.socket": ours}
    return client.post(ANALYZE, data=jpeg, content_type="image/jpeg", environ_overrides=environ).status_code


def test_no_work_is_done_for_a_client_that_has_left(
    make_client: Callable[..., FlaskClient],
    fake_loader: Any,
    jpeg: bytes,
    pair: Pair,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours, theirs = pair
    called = []
    client = make_client(fake_loader(analyze=lambda *_: called.append(1)))
    theirs.close()
    wait_for_arrival(ours)
    with caplog.at_level(logging.INFO):
        assert post(client, jpeg, ours) == 499
    assert called == []
    (line,) = [record.fields for record in caplog.records if record.getMessage() == "client_gone"]
    assert (line["status"], line["code"]) == (499, "client_gone")
    assert line["stage"]
    assert "dermserve_client_gone_total 1.0" in client.get("/metrics").text


def test_a_client_that_leaves_meanwhile_ends_the_analysis_before_its_next_stage(
    make_client: Callable[..., FlaskClient],
    fake_loader: Any,
    jpeg: bytes,
    pair: Pair,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours, theirs = pair

    def analyze(_: Any, deadline: Deadline) -> None:
        deadline.check("encode")
        theirs.close()
        wait_for_arrival(ours)
        deadline.check("search")

    client = make_client(fake_loader(analyze=analyze))
    with caplog.at_level(logging.INFO):
        assert post(client, jpeg, ours) == 499
    (line,) = [record.fields for record in caplog.records if record.getMessage() == "client_gone"]
    assert line["stage"] == "search"


def test_a_client_that_stays_is_answered_and_its_socket_left_as_it_was(
    client: FlaskClient, jpeg: bytes, pair: Pair
) -> None:
    assert post(client, jpeg, pair[0]) == 200
    assert pair[0].gettimeout() is None

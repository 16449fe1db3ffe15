"""Workers share what comes."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import psutil
import pytest

from tests.e2e.server import Server
from tests.waiting import wait_until

_CONNECTIONS = 24


@pytest.fixture
def kept(server: Server) -> Iterator[list[http.client.HTTPConnection]]:
    """Connections that have asked once and stay open."""
    address = urlsplit(server.url)
    with ExitStack() as stack:
        connections = []
        for _ in range(_CONNECTIONS):
            connection = http.client.HTTPConnection(str(address.hostname), address.port or 0, timeout=60)
            stack.enter_context(closing(connection))
            connection.request("GET", "/health")
            assert connection.getresponse().read()
            connections.append(connection)
        yield connections


def _port(connection: http.client.HTTPConnection) -> int:
    return int(connection.sock.getsockname()[1])


def _ports(worker: psutil.Process) -> set[int]:
    """Of the clients whose connections ``worker`` holds."""
    return {one.raddr.port for one in worker.net_connections(kind="tcp") if one.raddr}


def test_new_connections_go_to_the_worker_that_has_fewest(
    server: Server, kept: list[http.client.HTTPConnection]
) -> None:
    ours = {_port(connection) for connection in kept}
    held = [len(_ports(worker) & ours) for worker in server.workers()]
    assert sum(held) == _CONNECTIONS
    assert min(held) >= _CONNECTIONS // 4


def test_a_sibling_that_hangs_holds_nobody_up(server: Server, kept: list[http.client.HTTPConnection]) -> None:
    """The one that works has more connections, and leaves new ones to the other for a moment only."""
    hanging = server.workers()[0]
    its = [connection for connection in kept if _port(connection) in _ports(hanging)]
    ports = {_port(connection) for connection in its}
    for connection in its:
        connection.close()
    wait_until(lambda: not ports & _ports(hanging))
    hanging.suspend()
    try:
        for _ in range(4):
            assert server.get("/health").status_code == 200
    finally:
        hanging.resume()

"""Workers share what comes."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest

from tests.e2e.server import Server

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


def test_new_connections_go_to_the_worker_that_has_fewest(
    server: Server, kept: list[http.client.HTTPConnection]
) -> None:
    ours = {connection.sock.getsockname()[1] for connection in kept}
    held = [
        sum(1 for open_ in worker.net_connections(kind="tcp") if open_.raddr and open_.raddr.port in ours)
        for worker in server.workers()
    ]
    assert sum(held) == _CONNECTIONS
    assert min(held) >= _CONNECTIONS // 4

"""The rehearsal's load balancer, with a real nginx: it shares requests out, and hides no loss."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.rehearsal.balancer import Balancer
from deploy.rehearsal.client import send_request
from deploy.rehearsal.processes import Ports, Processes
from tests.integration.nginx_fixture import nginx_or_skip


@contextmanager
def target() -> Iterator[int]:
    """The port of a server that answers with its port."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            body = str(self.server.server_address[1]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    processes = Processes()
    user = "user root root;" if os.geteuid() == 0 else ""
    made = Balancer(nginx_or_skip(), tmp_path / "front", Ports().take(), user, processes)
    made.start()
    yield made
    processes.end_all()


def answers(balancer: Balancer, count: int = 6) -> list[bytes]:
    return [send_request(balancer.port, "GET", "/").body for _ in range(count)]


def test_requests_go_to_every_target_and_only_to_these(balancer: Balancer) -> None:
    assert send_request(balancer.port, "GET", "/").status == 503
    with ExitStack() as ends:
        one, two = (ends.enter_context(target()) for _ in range(2))
        assert balancer.switch([one, two], idle_s=10, drain_s=10)
        assert set(answers(balancer)) == {str(one).encode(), str(two).encode()}
        assert balancer.switch([two], idle_s=10, drain_s=10)
        assert set(answers(balancer)) == {str(two).encode()}


def test_a_target_that_is_down_loses_its_share_of_the_requests(balancer: Balancer) -> None:
    with target() as up:
        balancer.switch([up, Ports().take()], idle_s=10, drain_s=10)
        found = [send_request(balancer.port, "GET", "/").status for _ in range(6)]
    assert sorted(found) == [200, 200, 200, 502, 502, 502]

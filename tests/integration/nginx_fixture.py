"""A real nginx with the platform's stock files and ours over them, before a small upstream. Loopback only."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from backports import zstd

from deploy.proxy import stage_proxy
from tests.tools import free_port, tool_or_skip

ROOT = Path(__file__).resolve().parents[2]
STARTUP_S = 20


def nginx_or_skip() -> str:
    """Path of nginx. Without one the tests are skipped, visibly; in CI that is a failure."""
    must, skipped = "test the proxy's configuration", "the proxy's configuration is not tested"
    return tool_or_skip("nginx", must=must, skipped=skipped)


class _Upstream(BaseHTTPRequestHandler):
    """What a test needs of an application: it counts bodies, answers in any status, media type or encoding, refuses
    because it is busy, and can hold a request."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if self.path == "/hold":
            self.server.release.wait(STARTUP_S)  # type: ignore[attr-defined]
        if self.path == "/busy":
            self._answer(503, {"from": "application"})
            return
        status = int(self.path.removeprefix("/status/")) if self.path.startswith("/status/") else 200
        self._answer(status, {"from": "application", "headers": {k.lower(): v for k, v in self.headers.items()}})

    def do_POST(self) -> None:
        left = expected = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self._answer(200, {"from": "application", "bytes": expected})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", self.headers.get("X-Answer-Type", "application/json"))
        if self.path.startswith("/encoded/"):
            encoding = self.path.removeprefix("/encoded/")
            data = {"gzip": gzip.compress, "zstd": zstd.compress}[encoding](data)
            self.send_header("Content-Encoding", encoding)
            self.send_header("ETag", '"strong"')
        self.send_header("Content-Length", str(len(data)))
        if self.path == "/busy":
            self.send_header("Retry-After", "3")
        self.send_header("X-Request-ID", self.headers.get("X-Request-ID", "none"))
        self.end_headers()
        self.wfile.write(data)


@dataclass
class Proxy:
    """A running nginx, its port, and the switch that lets a held request go."""

    port: int
    binary: str
    conf: Path
    release: threading.Event = field(default_factory=threading.Event)

    def effective(self) -> str:
        """The configuration as nginx reads it (nginx -T)."""
        command = [self.binary, "-T", "-q", "-c", str(self.conf), "-p", str(self.conf.parent)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=STARTUP_S)


@contextmanager
def running_proxy(
    folder: Path, *, upstream_up: bool = True, rewrite: Mapping[str, str] | None = None
) -> Iterator[Proxy]:
    """nginx before the upstream; ``upstream_up`` False leaves nothing at the upstream's port."""
    nginx_or_skip()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    server.daemon_threads = True
    upstream_port = server.server_address[1]
    if upstream_up:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    else:
        server.server_close()
    release = threading.Event()
    server.release = release  # type: ignore[attr-defined]
    try:
        with proxy_before(upstream_port, folder, rewrite=rewrite) as proxy:
            proxy.release = release
            yield proxy
    finally:
        release.set()
        if upstream_up:
            server.shutdown()
            server.server_close()


@contextmanager
def proxy_before(
    upstream: int, folder: Path, *, rewrite: Mapping[str, str] | None = None, under: Sequence[str] = ()
) -> Iterator[Proxy]:
    """nginx before what listens on the port ``upstream``. ``under`` is a command that becomes nginx."""
    binary = nginx_or_skip()
    listen = free_port()
    conf = stage_proxy(folder, ROOT, listen=listen, upstream=upstream, rewrite=rewrite)
    command = [*under, binary, "-c", str(conf), "-p", str(conf.parent), "-g", "daemon off;"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_listening(process, listen)
        yield Proxy(listen, binary, conf)
    finally:
        process.terminate()
        process.communicate(timeout=STARTUP_S)


def _wait_until_listening(process: subprocess.Popen[str], port: int) -> None:
    pause = threading.Event()
    for _ in range(STARTUP_S * 20):
        if process.poll() is not None:
            _, said = process.communicate()
            raise AssertionError(f"nginx did not start: {said}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            pause.wait(0.05)
        else:
            return
    raise AssertionError(f"nginx does not listen on {port} after {STARTUP_S} s")

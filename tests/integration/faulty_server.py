"""An HTTP server that fails as real ones do, in the forms of Google Cloud Storage, S3 and a plain web server.

The name of an object says what happens to it: ``busy.bin`` is refused once with a 503, ``failing.bin`` always;
``cut.bin`` breaks off in the middle each time, ``cut-once.bin`` only the first time; ``damaged.bin`` never has the
bytes of its stated checksum, ``damaged-once.bin`` not the first time; ``missing.bin`` does not exist, and
``forbidden.bin`` may not be read.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import google_crc32c

CONTENT = bytes(range(256)) * 64
_ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message></Error>"
_CODES = {404: "NoSuchKey", 403: "AccessDenied", 503: "SlowDown"}


class Handler(BaseHTTPRequestHandler):
    """One request. ``seen`` counts them by object, ``objects`` holds what has a content of its own."""

    seen: Counter[str]
    objects: dict[str, bytes]

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        name = unquote(urlsplit(self.path).path).rsplit("/", 1)[-1]
        self.seen[name] += 1
        first = self.seen[name] == 1
        status = {"missing": 404, "forbidden": 403, "failing": 503}.get(name.split(".")[0])
        if status or (name == "busy.bin" and first):
            self._refuse(status or 503)
        else:
            cut = name == "cut.bin" or (name == "cut-once.bin" and first)
            damaged = name == "damaged.bin" or (name == "damaged-once.bin" and first)
            self._send(self.objects.get(name, CONTENT), cut=cut, damaged=damaged)

    def _refuse(self, status: int) -> None:
        body = _ERROR.format(_CODES[status], "no").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def _send(self, content: bytes, *, cut: bool, damaged: bool) -> None:
        start = int(match[1]) if (match := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        body = content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        crc = google_crc32c.Checksum(content).digest()
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
        self.send_header("X-Goog-Hash", f"crc32c={base64.b64encode(crc).decode()},md5={md5}")
        if not start:
            self.send_header("x-amz-checksum-crc32", base64.b64encode(zlib.crc32(content).to_bytes(4)).decode())
        self.end_headers()
        if damaged:
            body = bytes([body[0] ^ 1]) + body[1:]
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = True


@contextmanager
def faulty_server(**objects: bytes) -> Iterator[tuple[str, Counter[str]]]:
    """A server's address, and how often each object was asked for."""
    seen: Counter[str] = Counter()
    handler = type("OwnHandler", (Handler,), {"seen": seen, "objects": objects})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
        server.shutdown()
        thread.join()

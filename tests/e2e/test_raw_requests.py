"""What is no request, over a real socket: gunicorn's refusals are the one error object, and one answer each."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.e2e.server import ANALYZE, Server, skin_photo

HOST = b"Host: x\r\n"
POST = f"POST {ANALYZE} HTTP/1.1\r\n".encode() + HOST
CHUNKED = b"Content-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"

MALFORMED = {
    "no HTTP": (b"\xff\xd8\xff\xe0 a photo\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "an address too long": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a header too large": (b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n", 431),
    "too many headers": (b"GET / HTTP/1.1\r\n" + HOST + b"X-A: a\r\n" * 500 + b"\r\n", 431),
    "a header's name": (b"GET / HTTP/1.1\r\n" + HOST + b"X A: a\r\n\r\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\n" + HOST + b"X-A: a\r\n b\r\n\r\n", 400),
    "a length": (POST + b"Content-Length: nonsense\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
    "an expectation": (POST + b"Expect: miracles\r\nContent-Length: 3\r\n\r\nabc", 417),
    "a version": (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", 400),
    "a method": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "line ends": (b"GET /health HTTP/1.1\nHost: x\n\n", 400),
    "a chunk's size": (POST + CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk's end": (POST + CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n", 400),
    "a trailer": (POST + CHUNKED + b"3\r\nabc\r\n0\r\nno trailer\r\n\r\n", 400),
}


def answer_to(server: Server, request: bytes) -> bytes:
    """Everything that comes back until the connection is closed."""
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        connection.sendall(request)
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_in_json(server: Server, name: str) -> None:
    request, status = MALFORMED[name]
    answer = answer_to(server, request)
    head, _, text = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), head
    body = json.loads(text)
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message", "details"}
    assert f"X-Request-ID: {body['request_id']}".encode() in head
    assert b"Content-Type: application/json" in head
    assert b"Cache-Control: no-store" in head


def test_a_malformed_body_that_nobody_reads_gets_no_second_answer(server: Server) -> None:
    request = b"GET /health HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"
    answer = answer_to(server, request)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_the_service_goes_on(server: Server) -> None:
    assert server.post(files={"image": skin_photo()}).status_code == 200

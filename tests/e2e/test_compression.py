"""Compressed answers of the running service, by itself and behind nginx: once, whole, and known again by their ETag."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from backports import zstd

from tests.e2e.server import ANALYZE, Server, skin_photo
from tests.integration.nginx_fixture import proxy_before

DECODE: dict[str | None, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "zstd": zstd.decompress, None: bytes}
CATALOGUES = ["/api/conditions", "/api/measures", "/api/models", "/api/label", "/api/openapi.json", "/api/docs"]
FILES = ["/assets/page.js", "/assets/page.css", "/assets/icon.svg"]


@pytest.fixture(scope="module", params=["alone", "behind nginx"])
def port(request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the service itself, then that of an nginx before it."""
    own = urlsplit(server.url).port or 0
    if request.param == "alone":
        yield own
        return
    with proxy_before(own, tmp_path_factory.mktemp("nginx")) as proxy:
        yield proxy.port


def ask(
    port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """(response, body as sent)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): one for name, one in headers.items()})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("sent", ["gzip", "zstd"])
@pytest.mark.parametrize("path", [*CATALOGUES, *FILES, "/"])
def test_what_is_compressed_is_the_same(port: int, path: str, sent: str) -> None:
    _, plain = ask(port, path, Accept_Encoding="identity")
    response, body = ask(port, path, Accept_Encoding=sent)
    assert response.getheader("Content-Encoding") == (sent if len(plain) >= 500 else None)
    assert DECODE[response.getheader("Content-Encoding")](body) == plain
    assert int(response.getheader("Content-Length") or 0) == len(body)
    assert len(response.headers.get_all("Date", [])) == 1


@pytest.mark.parametrize("accepted", ["gzip", "zstd", "gzip, deflate, br, zstd", "identity"])
@pytest.mark.parametrize("path", [*CATALOGUES, *FILES])
def test_the_etag_is_known_again(port: int, path: str, accepted: str) -> None:
    first, _ = ask(port, path, Accept_Encoding=accepted)
    again, body = ask(port, path, Accept_Encoding=accepted, If_None_Match=first.getheader("ETag") or "")
    assert (again.status, body) == (304, b"")
    assert again.getheader("ETag") == first.getheader("ETag")
    assert again.getheader("Cache-Control") == first.getheader("Cache-Control")


@pytest.mark.parametrize("sent", ["gzip", "zstd"])
def test_an_analysis_is_compressed(port: int, sent: str) -> None:
    photo = skin_photo()
    response, body = ask(port, ANALYZE, "POST", photo, Accept_Encoding=sent, Content_Type="image/jpeg")
    assert (response.status, response.getheader("Content-Encoding")) == (200, sent)
    assert response.getheader("Cache-Control") == "no-store"
    plain = DECODE[sent](body)
    assert b'"success":true' in plain
    assert len(body) < len(plain) / 2


def test_an_error_is_readable_without_decompression(port: int) -> None:
    response, body = ask(port, ANALYZE, "POST", b"no photo", Accept_Encoding="gzip", Content_Type="image/jpeg")
    assert (response.status, response.getheader("Content-Encoding")) == (415, None)
    assert b'"success":false' in body.replace(b" ", b"")


def test_a_head_request_has_the_headers_and_no_body(port: int) -> None:
    full, _ = ask(port, "/api/measures", Accept_Encoding="gzip")
    head, body = ask(port, "/api/measures", "HEAD", Accept_Encoding="gzip")
    assert (head.status, body) == (200, b"")
    for name in ("Content-Encoding", "Content-Length", "ETag", "Vary"):
        assert head.getheader(name) == full.getheader(name)

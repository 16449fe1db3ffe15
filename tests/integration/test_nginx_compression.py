"""A real nginx compresses what the application has not compressed, once, and leaves the rest as it is."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator

import pytest
from backports import zstd

from tests.integration.nginx_fixture import STARTUP_S, Proxy, running_proxy

#: the upstream repeats it, so that its answer is long enough to be compressed
LONG = {"X-Long": "a" * 2000}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with running_proxy(tmp_path_factory.mktemp("nginx")) as running:
        yield running


def ask(proxy: Proxy, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """(response, body as sent)"""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=STARTUP_S)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): one for name, one in headers.items()} | LONG)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("via", [{}, {"Via": "1.1 cdn"}])
@pytest.mark.parametrize(
    "media_type", ["application/json", "application/fhir+json", "image/svg+xml", "text/javascript"]
)
def test_what_comes_uncompressed_is_compressed(proxy: Proxy, media_type: str, via: dict[str, str]) -> None:
    response, body = ask(proxy, "/plain", Accept_Encoding="gzip", X_Answer_Type=media_type, **via)
    assert response.getheader("Content-Encoding") == "gzip"
    assert "Accept-Encoding" in (response.getheader("Vary") or "")
    assert json.loads(gzip.decompress(body))["from"] == "application"


def test_a_client_that_does_not_ask_gets_it_as_it_is(proxy: Proxy) -> None:
    response, body = ask(proxy, "/plain", Accept_Encoding="identity")
    assert response.getheader("Content-Encoding") is None
    assert json.loads(body)["from"] == "application"


def test_pictures_are_not_compressed_again(proxy: Proxy) -> None:
    response, _ = ask(proxy, "/plain", Accept_Encoding="gzip", X_Answer_Type="image/webp")
    assert response.getheader("Content-Encoding") is None


@pytest.mark.parametrize(("encoding", "decode"), [("gzip", gzip.decompress), ("zstd", zstd.decompress)])
def test_what_the_application_compressed_passes_unchanged(proxy: Proxy, encoding: str, decode: object) -> None:
    response, body = ask(proxy, f"/encoded/{encoding}", Accept_Encoding="gzip, zstd")
    assert response.getheader("Content-Encoding") == encoding
    assert int(response.getheader("Content-Length") or 0) == len(body)
    assert response.getheader("ETag") == '"strong"'
    assert json.loads(decode(body))["from"] == "application"  # type: ignore[operator]

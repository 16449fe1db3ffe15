"""Answers are compressed as the client asks, and arrive unchanged."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from flask import Response
from flask.testing import FlaskClient

from web.compression import TYPES

NGINX = Path(__file__).resolve().parents[3] / ".platform/nginx/conf.d"
ANALYZE = "/api/analyze/skin"
DECODE: dict[str | None, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "zstd": zstd.decompress, None: bytes}


def encoding_of(response: Response) -> str | None:
    return response.headers.get("Content-Encoding")


@pytest.mark.parametrize(
    ("accepted", "sent"),
    [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("gzip; q=0.5, zstd; q=0.4", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("GZIP", "gzip"),
        ("", None),
        ("br", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip; q=0, zstd; q=0", None),
        ("*;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=nonsense", None),
    ],
)
def test_the_client_chooses(accepted: str, sent: str | None, client: FlaskClient) -> None:
    plain = client.get("/api/measures")
    response = client.get("/api/measures", headers={"Accept-Encoding": accepted})
    assert encoding_of(response) == sent
    assert DECODE[sent](response.data) == plain.data
    assert int(response.headers["Content-Length"]) == len(response.data)
    assert "Accept-Encoding" in response.vary
    assert "Accept-Encoding" in plain.vary


@pytest.mark.parametrize("path", [ANALYZE, f"{ANALYZE}/fhir"])
@pytest.mark.parametrize("sent", ["gzip", "zstd"])
def test_an_answer_about_a_photo_is_compressed(path: str, sent: str, client: FlaskClient, jpeg: bytes) -> None:
    response = client.post(path, data=jpeg, content_type="image/jpeg", headers={"Accept-Encoding": sent})
    assert encoding_of(response) == sent
    assert json.loads(DECODE[sent](response.data)).keys() & {"success", "resourceType"}


@pytest.mark.parametrize("path", ["/", "/api/docs", "/assets/page.js", "/assets/page.css"])
@pytest.mark.parametrize("sent", ["gzip", "zstd"])
def test_pages_and_their_files_are_compressed(path: str, sent: str, client: FlaskClient) -> None:
    with client.get(path) as plain, client.get(path, headers={"Accept-Encoding": sent}) as response:
        assert encoding_of(response) == sent
        assert len(response.data) < len(plain.data)
        assert DECODE[sent](response.data) == plain.data
        assert response.content_type == plain.content_type


@pytest.mark.parametrize("path", ["/health", "/nothing", "/api/cases/mock-1/0"])
def test_small_answers_and_pictures_are_not(path: str, client: FlaskClient) -> None:
    plain = client.get(path)
    response = client.get(path, headers={"Accept-Encoding": "gzip, zstd"})
    assert encoding_of(response) is None
    assert len(response.data) == len(plain.data)


def test_a_part_of_a_file_is_a_part_of_the_file(client: FlaskClient) -> None:
    asked = {"Accept-Encoding": "gzip", "Range": "bytes=100-1999"}
    with client.get("/assets/page.js") as whole, client.get("/assets/page.js", headers=asked) as part:
        assert (part.status_code, encoding_of(part)) == (206, None)
        assert part.data == whole.data[100:2000]


def test_a_head_request_names_the_length_of_the_compressed_answer(client: FlaskClient) -> None:
    asked = {"Accept-Encoding": "gzip"}
    full, head = client.get("/api/measures", headers=asked), client.head("/api/measures", headers=asked)
    assert head.data == b""
    for name in ("Content-Encoding", "Content-Length", "ETag", "Vary"):
        assert head.headers[name] == full.headers[name]


def test_the_gate_is_free_before_an_answer_is_compressed(client: FlaskClient, jpeg: bytes) -> None:
    gate = client.application.extensions["dermserve"].gate
    inside: list[int] = []

    @client.application.after_request
    def note(response: Response) -> Response:
        inside.append(gate.inside)
        return response

    client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers={"Accept-Encoding": "gzip"})
    assert inside == [0]


def test_nginx_compresses_the_same_types() -> None:
    server = (NGINX / "elasticbeanstalk/10_dermserve.conf").read_text()
    (line,) = re.findall(r"^\s*gzip_types (.+);$", server, re.MULTILINE)
    assert {*line.split(), "text/html"} == TYPES, "nginx always compresses text/html"

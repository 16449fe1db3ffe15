"""What clients and caches may keep, and how they learn that it is still current."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

ANALYZE = "/api/analyze/skin"

MakeClient = Callable[..., FlaskClient]

#: address → who may keep the answer, and for how long
KEPT = {
    "/api/conditions": "public, max-age=300",
    "/api/measures": "public, max-age=300",
    "/api/openapi.json": "public, max-age=300",
    "/api/docs": "public, max-age=300",
    "/api/models": "public, no-cache",
    "/api/label": "public, no-cache",
    "/api/cases/mock-1/0": "private, max-age=3600",
}


@pytest.mark.parametrize("path", KEPT)
def test_a_client_may_keep_it_and_ask_whether_it_changed(path: str, client: FlaskClient) -> None:
    first = client.get(path)
    assert set(first.headers["Cache-Control"].split(", ")) == set(KEPT[path].split(", "))
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    changed = client.get(path, headers={"If-None-Match": 'W/"an-older-one"'})
    assert (changed.status_code, changed.data) == (200, first.data)


@pytest.mark.parametrize("path", [*KEPT, "/assets/page.js", "/assets/page.css"])
@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity"])
def test_the_etag_of_one_encoding_is_known_in_it(path: str, encoding: str, client: FlaskClient) -> None:
    asked = {"Accept-Encoding": encoding}
    with client.get(path, headers=asked) as first:
        etag = first.headers["ETag"]
    with client.get(path, headers={**asked, "If-None-Match": etag}) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_an_answer_in_another_language_is_another_answer(client: FlaskClient) -> None:
    english = client.get("/api/conditions", headers={"Accept-Language": "en"})
    spanish = client.get("/api/conditions", headers={"Accept-Language": "es", "If-None-Match": english.headers["ETag"]})
    assert (spanish.status_code, spanish.headers["Content-Language"]) == (200, "es")
    assert "Accept-Language" in spanish.vary


def test_other_settings_make_another_answer(make_client: MakeClient) -> None:
    for path in ("/api/label", "/api/measures", "/api/conditions"):
        etag = make_client().get(path).headers["ETag"]
        assert make_client(cosmetic_mode=True).get(path, headers={"If-None-Match": etag}).status_code == 200


def test_a_head_request_gets_the_same_headers(client: FlaskClient) -> None:
    full, head = client.get("/api/measures"), client.head("/api/measures")
    assert head.data == b""
    for name in ("ETag", "Cache-Control", "Content-Length", "Content-Type"):
        assert head.headers[name] == full.headers[name]


@pytest.mark.parametrize("path", ["/health", "/nothing", "/api/cases/none/0", "/"])
def test_nothing_else_may_be_kept(path: str, client: FlaskClient) -> None:
    response = client.get(path)
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers


def test_answers_about_a_photo_may_not_be_kept(client: FlaskClient, jpeg: bytes) -> None:
    response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers={"If-None-Match": "*"})
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    assert "ETag" not in response.headers

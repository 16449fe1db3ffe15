"""Which pages of other origins may call the service."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

ANALYZE = "/api/analyze/skin"
ALLOW = "Access-Control-Allow-Origin"

MakeClient = Callable[..., FlaskClient]


def preflight(client: FlaskClient, origin: str, headers: str = "content-type, x-api-key"):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    return client.options(ANALYZE, headers={"Origin": origin, **asked})


def test_a_preflight_says_what_may_be_sent(make_client: MakeClient) -> None:
    response = preflight(make_client(cors_origins="https://a.example"), "https://a.example")
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers.getlist(ALLOW) == ["https://a.example"]
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Allow-Headers"] == "content-type, x-api-key"
    assert int(response.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_preflight_allows_no_header_that_is_not_listed(make_client: MakeClient) -> None:
    response = preflight(make_client(cors_origins="https://a.example"), "https://a.example", "x-evil, authorization")
    assert response.headers["Access-Control-Allow-Headers"] == "authorization"


@pytest.mark.parametrize("path", ["/health", "/nothing", ANALYZE])
def test_only_a_listed_origin_is_allowed_on_errors_too(path: str, make_client: MakeClient) -> None:
    client = make_client(cors_origins="https://a.example,https://b.example")
    listed = client.get(path, headers={"Origin": "https://b.example"})
    assert listed.headers.getlist(ALLOW) == ["https://b.example"]
    assert "Retry-After" in listed.headers["Access-Control-Expose-Headers"]
    other = client.get(path, headers={"Origin": "https://evil.example"})
    assert ALLOW not in other.headers
    assert ALLOW not in client.get(path).headers
    assert listed.headers["Vary"] == other.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("listed", "near"),
    [
        ("https://a.example", "https://a.example.evil.org"),
        ("https://a.example", "https://axexample"),
        ("https://a.example", "http://a.example"),
        ("https://a.example", "https://a.example:8443"),
        ("https://a.example", "null"),
        ("http://[::1]:3000", "http://:"),
    ],
)
def test_an_origin_is_taken_literally(listed: str, near: str, make_client: MakeClient) -> None:
    client = make_client(cors_origins=listed)
    assert client.get("/health", headers={"Origin": listed}).headers[ALLOW] == listed
    assert ALLOW not in client.get("/health", headers={"Origin": near}).headers
    assert ALLOW not in preflight(client, near).headers


def test_no_origin_is_allowed_unless_set(client: FlaskClient) -> None:
    response = preflight(client, "https://a.example")
    assert response.status_code == 204
    assert not [name for name, _ in response.headers if name.startswith("Access-Control")]

"""Pages of other origins: which may call the service, which files all may load, and what the log says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

ANALYZE = "/api/analyze/skin"
ALLOW = "Access-Control-Allow-Origin"
PAGE = "https://a.example"

MakeClient = Callable[..., FlaskClient]


def preflight(client: FlaskClient, origin: str, headers: str = "content-type, x-api-key", path: str = ANALYZE):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    return client.options(path, headers={"Origin": origin, **asked})


@pytest.mark.parametrize("path", [ANALYZE, f"{ANALYZE}/autoderm", "/api/compare/skin", "/api/selftest"])
def test_a_preflight_says_what_may_be_sent(make_client: MakeClient, path: str) -> None:
    response = preflight(make_client(cors_origins="https://a.example"), "https://a.example", path=path)
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
    assert "Origin" in listed.vary
    assert "Origin" in other.vary


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


LOCAL = ["http://localhost:5173", "https://localhost", "http://127.0.0.1:8080", "http://[::1]:3000"]


@pytest.mark.parametrize("origin", LOCAL)
@pytest.mark.parametrize("setting", ["localhost", "https://a.example,localhost"])
def test_localhost_allows_pages_of_this_machine(origin: str, setting: str, make_client: MakeClient) -> None:
    client = make_client(cors_origins=setting)
    assert preflight(client, origin).headers[ALLOW] == origin
    assert client.get("/health", headers={"Origin": origin}).headers[ALLOW] == origin


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.evil.org",
        "http://localhost:80.evil.org",
        "http://evil.org#localhost",
        "http://127.0.0.1.evil.org:80",
        "http://127.0.0.2:80",
        "http://evil-localhost:3000",
        "file://localhost",
        "null",
    ],
)
def test_localhost_allows_no_other_machine(origin: str, make_client: MakeClient) -> None:
    client = make_client(cors_origins="localhost")
    assert ALLOW not in preflight(client, origin).headers
    assert ALLOW not in client.get("/health", headers={"Origin": origin}).headers


def test_localhost_is_not_allowed_without_the_setting(make_client: MakeClient) -> None:
    assert ALLOW not in preflight(make_client(cors_origins="https://a.example"), LOCAL[0]).headers


def test_a_page_may_send_what_the_service_reads(make_client: MakeClient) -> None:
    wanted = "accept-language, content-encoding, if-none-match, prefer, traceparent, x-request-id, x-request-timeout"
    assert preflight(make_client(cors_origins=PAGE), PAGE, wanted).headers["Access-Control-Allow-Headers"] == wanted


def test_a_page_may_read_what_it_needs(make_client: MakeClient) -> None:
    exposed = make_client(cors_origins=PAGE).get("/health", headers={"Origin": PAGE})
    names = exposed.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Content-Language", "ETag", "Retry-After", "X-Request-ID"} <= set(names)


@pytest.mark.parametrize("setting", ["", PAGE])
@pytest.mark.parametrize("origin", [PAGE, "https://other.example", "null"])
def test_every_page_may_load_modules_styles_and_icons(origin: str, setting: str, make_client: MakeClient) -> None:
    client = make_client(cors_origins=setting)
    for name in ("page.js", "answer/answer.js", "page.css", "icon.svg"):
        with client.get(f"/assets/{name}", headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"}) as response:
            assert response.status_code == 200
            assert response.headers.getlist(ALLOW) == ["*"]
            assert response.headers.getlist("Cross-Origin-Resource-Policy") == ["cross-origin"]
        with client.get(
            f"/assets/{name}", headers={"Origin": origin, "If-None-Match": response.headers["ETag"]}
        ) as same:
            assert (same.status_code, same.headers[ALLOW]) == (304, "*")


@pytest.mark.parametrize("path", ["/", "/api/label", "/api/openapi.json", "/api/docs", "/api/cases/mock-1/0", ANALYZE])
def test_a_page_may_load_nothing_else(path: str, client: FlaskClient) -> None:
    response = client.get(path, headers={"Origin": PAGE})
    assert ALLOW not in response.headers
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.fixture
def hints() -> Iterator[list[dict[str, Any]]]:
    """The fields of the log lines about origins."""
    lines: list[dict[str, Any]] = []

    class Written(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append({"event": record.getMessage(), **record.fields})  # type: ignore[attr-defined]

    handler, logger = Written(), logging.getLogger("dermserve.origins")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def test_a_preflight_that_fails_names_the_setting_once(make_client: MakeClient, hints: list[dict[str, Any]]) -> None:
    client = make_client(cors_origins=PAGE)
    for _ in range(3):
        preflight(client, "http://localhost:5173")
    preflight(client, PAGE)
    (line,) = hints
    assert (line["event"], line["origin"]) == ("origin_not_allowed", "http://localhost:5173")
    assert "DERMSERVE_CORS_ORIGINS" in line["advice"]


def test_a_page_that_needs_no_preflight_is_named_too(
    client: FlaskClient, jpeg: bytes, hints: list[dict[str, Any]]
) -> None:
    cross = {"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}
    assert client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers=cross).status_code == 200
    assert [line["origin"] for line in hints] == [PAGE]


def test_a_page_from_a_file_is_told_to_use_a_server(client: FlaskClient, hints: list[dict[str, Any]]) -> None:
    preflight(client, "null")
    (line,) = hints
    assert "http.server" in line["advice"]


def test_requests_of_the_own_page_and_of_programs_give_no_hint(
    client: FlaskClient, jpeg: bytes, hints: list[dict[str, Any]]
) -> None:
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    for headers in (own, {}, {"Origin": "http://localhost"}):
        client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers=headers)
    client.get("/assets/page.js", headers={"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}).close()
    assert hints == []


def test_the_log_names_a_limited_number_of_origins(client: FlaskClient, hints: list[dict[str, Any]]) -> None:
    for number in range(50):
        preflight(client, f"https://{number}.example")
    assert 0 < len(hints) <= 20


@pytest.mark.parametrize("text", ["Bearer secret", f"https://{'x' * 500}.example", "https://a.example/?age=54", ""])
def test_the_log_repeats_nothing_that_is_not_an_origin(
    text: str, client: FlaskClient, hints: list[dict[str, Any]]
) -> None:
    preflight(client, text)
    assert hints == []

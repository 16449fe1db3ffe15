"""Headers: a request's own time and trace, and what every answer carries."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from web.http import HSTS, SECURITY_HEADERS
from web.logs import JsonFormatter, trace_id

ANALYZE = "/api/analyze/skin"
NGINX = Path(__file__).resolve().parents[3] / ".platform/nginx/conf.d"

MakeClient = Callable[..., FlaskClient]


def test_a_request_may_ask_for_less_time(make_client: MakeClient, fake_loader: Any, jpeg: bytes) -> None:
    seen: list[float] = []
    canned = fake_loader().analyze
    client = make_client(
        fake_loader(analyze=lambda case, deadline: seen.append(deadline.seconds) or canned(case, deadline))
    )
    for wish in ("20", " 2.5 ", "1e9"):
        headers = {"X-Request-Timeout": wish}
        assert client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers=headers).status_code == 200
    assert seen == [20, 2.5, 285]


def test_a_request_whose_own_time_is_over_names_the_stage(client: FlaskClient, jpeg: bytes) -> None:
    headers = {"X-Request-Timeout": "1e-9"}
    response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers=headers)
    assert response.status_code == 504
    assert response.get_json()["error"]["details"] == {"stage": "upload", "limit_s": 1e-9}


@pytest.mark.parametrize("wish", ["", "soon", "0", "-1", "nan", "inf", "1,5", "2s", "5, 5"])
def test_a_time_that_is_none_is_refused(client: FlaskClient, jpeg: bytes, wish: str) -> None:
    headers = {"X-Request-Timeout": wish}
    response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers=headers)
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (400, "bad_field")
    assert "number of seconds above 0" in error["message"]
    assert client.get("/health", headers=headers).status_code == 200


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("given", "trace"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        (f"01-{TRACE}-b7ad6b7169203331-00-later", TRACE),
        (f"ff-{TRACE}-b7ad6b7169203331-01", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-b7ad6b7169203331-01", None),
        ("", None),
    ],
)
def test_log_lines_name_the_caller_s_trace(client: FlaskClient, jpeg: bytes, given: str, trace: str | None) -> None:
    lines: list[dict[str, Any]] = []

    class Written(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(JsonFormatter().format(record)))

    handler, logger = Written(), logging.getLogger("dermserve.analysis")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    try:
        client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers={"traceparent": given})
    finally:
        logger.removeHandler(handler)
        logger.setLevel("NOTSET")
    (line,) = lines
    assert line.get("trace_id") == trace
    assert line["request_id"]
    assert trace_id.get() is None


@pytest.mark.parametrize("path", ["/health", "/nothing", "/api/analyze/skin", "/api/cases/mock-1/0", "/"])
def test_every_answer_carries_them(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    own_policy = {"Content-Security-Policy"} if path == "/" else set()
    for name in SECURITY_HEADERS.keys() - own_policy:
        assert response.headers.getlist(name) == [SECURITY_HEADERS[name]], name
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in response.headers


def test_behind_https_the_next_visit_is_to_be_secure_too(make_client: MakeClient) -> None:
    client = make_client(proxies=2)
    by = {
        scheme: client.get("/health", headers={"X-Forwarded-Proto": scheme}).headers.get("Strict-Transport-Security")
        for scheme in ("https", "http")
    }
    assert by == {"https": HSTS, "http": None}


def test_without_proxies_nobody_s_word_makes_it_secure(client: FlaskClient) -> None:
    response = client.get("/health", headers={"X-Forwarded-Proto": "https"})
    assert "Strict-Transport-Security" not in response.headers


def test_nginx_s_own_errors_carry_the_same() -> None:
    server = (NGINX / "elasticbeanstalk/10_dermserve.conf").read_text()
    added = dict(re.findall(r'^\s*add_header (\S+) "?(.+?)"? always;$', server, re.MULTILINE))
    assert {name: added.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert added["Strict-Transport-Security"] == "$dermserve_hsts"
    assert f'"{HSTS}"' in (NGINX / "dermserve.conf").read_text()

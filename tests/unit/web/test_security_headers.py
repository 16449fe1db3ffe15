"""Headers that every answer carries, nginx's own errors included."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from web.http import HSTS, SECURITY_HEADERS

ROOT = Path(__file__).resolve().parents[3]
NGINX = ROOT / ".platform/nginx/conf.d"

MakeClient = Callable[..., FlaskClient]


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

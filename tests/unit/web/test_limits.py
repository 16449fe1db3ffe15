"""Who may ask for an analysis, and how often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from web.limits import address, network
from web.profiles import PROFILES

ANALYZE = "/api/analyze/skin"
KEY = "0123456789abcdef"

MakeClient = Callable[..., FlaskClient]


def post(client: FlaskClient, jpeg: bytes, key: str = "", address: str = "192.0.2.1") -> Any:
    """An analysis asked for from ``address``."""
    headers = {"X-API-Key": key} if key else {}
    environ = {"REMOTE_ADDR": address}
    return client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers=headers, environ_base=environ)


def statuses(client: FlaskClient, jpeg: bytes, count: int, **who: str) -> list[int]:
    return [post(client, jpeg, **who).status_code for _ in range(count)]


def test_a_key_is_asked_for_when_keys_are_set(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(api_keys=f"{KEY},another-key-of-length")
    wrong = [{}, {"Authorization": "Bearer nonsense"}, {"X-API-Key": KEY[:-1]}, {"Authorization": f"Basic {KEY}"}]
    for headers in wrong:
        response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers=headers)
        assert (response.status_code, response.get_json()["error"]["code"]) == (401, "key_required")
        assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}):
        assert client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers=headers).status_code == 200
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("address", [*(f"{ANALYZE}/{name}" for name in sorted(PROFILES)), "/api/selftest"])
def test_each_address_that_computes_asks_for_a_key_and_counts(
    make_client: MakeClient, jpeg: bytes, address: str
) -> None:
    client = make_client(api_keys=KEY, rate_limit="1/hour", gunicorn_workers=1)
    photo = {"data": jpeg, "content_type": "image/jpeg"}
    asked = [client.post(address, headers=headers, **photo) for headers in ({}, {"X-API-Key": KEY}, {"X-API-Key": KEY})]
    assert [response.status_code for response in asked] == [401, 200, 429]


def test_without_keys_any_authorization_is_a_guest(client: FlaskClient, jpeg: bytes) -> None:
    headers = {"Authorization": "Bearer junk"}
    assert client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers=headers).status_code == 200


def test_without_a_limit_nothing_is_counted(client: FlaskClient, jpeg: bytes) -> None:
    assert statuses(client, jpeg, 40) == [200] * 40


def test_a_client_over_its_limit_is_told_when_to_come_back(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(rate_limit="3/hour", gunicorn_workers=1)
    assert statuses(client, jpeg, 3) == [200] * 3
    refused = post(client, jpeg)
    assert refused.status_code == 429
    error = refused.get_json()["error"]
    assert (error["code"], error["details"]) == ("rate_limited", {"limit": "3/hour"})
    assert 3500 < int(refused.headers["Retry-After"]) <= 3601
    assert post(client, jpeg, address="192.0.2.2").status_code == 200, "another client's count is its own"


def test_a_refused_client_still_sees_page_health_and_metrics(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(rate_limit="1/hour", gunicorn_workers=1)
    assert statuses(client, jpeg, 2) == [200, 429]
    for path in ("/", "/health", "/health/ready", "/metrics", "/api/cases/mock-1/0"):
        assert [client.get(path).status_code for _ in range(3)] == [200] * 3, path


def test_each_worker_lets_its_part_through(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(rate_limit="5/hour", gunicorn_workers=2)
    assert statuses(client, jpeg, 4) == [200] * 3 + [429]


def test_with_keys_each_key_is_a_client(make_client: MakeClient, jpeg: bytes) -> None:
    other = "another-key-of-length"
    client = make_client(api_keys=f"{KEY},{other}", rate_limit="2/hour", gunicorn_workers=1)
    assert statuses(client, jpeg, 3, key=KEY) == [200, 200, 429]
    assert post(client, jpeg, KEY, address="192.0.2.2").status_code == 429, "wherever it is used"
    assert post(client, jpeg, other).status_code == 200


def test_wrong_keys_are_limited_and_the_right_one_from_there_is_not(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(api_keys=KEY, wrong_key_limit="2/minute", gunicorn_workers=1)
    assert statuses(client, jpeg, 4, key="wrong") == [401, 401, 429, 429]
    assert post(client, jpeg).status_code == 429, "no key is a wrong key"
    assert post(client, jpeg, KEY).status_code == 200
    assert post(client, jpeg, "wrong", address="192.0.2.2").status_code == 401


def test_an_ipv6_network_is_one_client(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(rate_limit="1/hour", gunicorn_workers=1)
    found = [post(client, jpeg, address=f"2001:db8:0:{net}::{host}").status_code for net in (1, 2) for host in (1, 2)]
    assert found == [200, 429, 200, 429]


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1"])
def test_an_ipv4_address_is_one_client_however_it_is_written(
    make_client: MakeClient, jpeg: bytes, address: str
) -> None:
    client = make_client(rate_limit="1/hour", gunicorn_workers=1)
    assert post(client, jpeg).status_code == 200
    assert post(client, jpeg, address=address).status_code == 429
    assert post(client, jpeg, address="192.0.2.9").status_code == 200


def test_refusals_log_no_address_and_no_key(
    make_client: MakeClient, jpeg: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    from web.logs import configure_logging

    configure_logging("INFO")
    client = make_client(api_keys=KEY, wrong_key_limit="1/minute", rate_limit="1/hour", gunicorn_workers=1)
    with caplog.at_level(logging.INFO):
        assert statuses(client, jpeg, 3, key="wrong-key-of-someone") == [401, 429, 429]
        assert statuses(client, jpeg, 2, key=KEY) == [200, 429]
    text = "".join(str(record.__dict__) for record in caplog.records)
    assert "rate_limited" in text
    assert all(secret not in text for secret in ("192.0.2.1", "wrong-key-of-someone", KEY))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        (0, "203.0.113.7", "127.0.0.1"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (2, "203.0.113.7, 10.0.0.5", "203.0.113.7"),
        (2, "6.6.6.6, 7.7.7.7, 203.0.113.7, 10.0.0.5", "203.0.113.7"),
        (2, "10.0.0.5", "127.0.0.1"),
        (2, "", "127.0.0.1"),
    ],
)
def test_only_entries_of_trusted_proxies_are_believed(
    make_client: MakeClient, proxies: int, forwarded: str, client: str
) -> None:
    app = make_client(proxies=proxies).application
    app.add_url_rule("/who", "who", address)
    assert app.test_client().get("/who", headers={"X-Forwarded-For": forwarded}).text == client


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
        ("unknown", "unknown"),
    ],
)
def test_whom_limits_count(client: str, counted: str) -> None:
    assert network(client) == counted

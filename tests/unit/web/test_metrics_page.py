"""The page that a scraper reads, by HTTP."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.unit.web.exposition import Samples, samples

ANALYZE = "/api/analyze/skin"

MakeClient = Callable[..., FlaskClient]


def post(client: FlaskClient, jpeg: bytes) -> int:
    return client.post(ANALYZE, data=jpeg, content_type="image/jpeg").status_code


def test_a_service_by_itself_counts_too(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(use_mock_services=True, flask_env="development")
    for _ in range(3):
        assert post(client, jpeg) == 200
    assert post(client, b"no image") == 415
    for path in ("/api/cases/mock-1/0", "/api/cases/mock-2/0", "/no/such/page", "/other"):
        client.get(path)
    response = client.get("/metrics")
    assert response.content_type.startswith("text/plain")
    found = samples(response.text)
    assert found["dermserve_requests_total", (ANALYZE, "200")] == 3
    assert found["dermserve_requests_total", (ANALYZE, "415")] == 1
    assert found["dermserve_requests_total", ("/api/cases/<case_id>/<int:number>", "200")] == 2
    assert found["dermserve_requests_total", ("none", "404")] == 2
    assert (found["dermserve_waiting", ()], found["dermserve_running", ()]) == (0, 0)
    for stage in ("queue", "decode", "total"):
        assert found["dermserve_stage_seconds_count", (stage,)] == 3
    assert found["dermserve_worker_resident_bytes", (str(os.getpid()),)] > 2**20


def test_what_the_gate_holds_is_told(make_client: MakeClient, fake_loader: Any, jpeg: bytes) -> None:
    seen: list[Samples] = []
    canned = fake_loader().analyze

    def analyze(case: Any, deadline: Any) -> Any:
        seen.append(samples(client.application.test_client().get("/metrics").text))
        return canned(case, deadline)

    client = make_client(fake_loader(analyze=analyze))
    with client.application.extensions["dermserve"].gate.admit():
        assert post(client, jpeg) == 200
    assert (seen[0]["dermserve_waiting", ()], seen[0]["dermserve_running", ()]) == (1, 1)


def test_a_shed_request_is_counted(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(gunicorn_threads=3)
    with client.application.extensions["dermserve"].gate.admit():
        assert post(client, jpeg) == 503
    assert samples(client.get("/metrics").text)["dermserve_shed_total", ()] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": ""},
        {"X-Forwarded-Proto": "https"},
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
    ],
)
def test_what_came_through_a_proxy_finds_no_page(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.get("/metrics", headers=headers)
    assert (response.status_code, response.get_json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("127.0.0.1", 200),
        ("127.8.9.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("::ffff:10.0.0.1", 404),
        ("10.0.0.1", 404),
        ("fe80::1%eth0", 404),
        ("", 404),
        ("unix:", 404),
    ],
)
def test_the_page_is_for_the_machine_itself(client: FlaskClient, peer: str, status: int) -> None:
    assert client.get("/metrics", environ_overrides={"REMOTE_ADDR": peer}).status_code == status


def test_unless_it_is_set_public(make_client: MakeClient) -> None:
    client = make_client(metrics="public")
    response = client.get(
        "/metrics", headers={"X-Forwarded-For": "192.0.2.1"}, environ_overrides={"REMOTE_ADDR": "10.0.0.1"}
    )
    assert response.status_code == 200


def test_requests_are_answered_where_metrics_cannot_be_kept(
    make_client: MakeClient, jpeg: bytes, tmp_path: Path
) -> None:
    client = make_client(run_dir=tmp_path / "no" / "such" / "folder")
    assert post(client, jpeg) == 200
    assert client.get("/health").status_code == 200
    response = client.get("/metrics")
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "unavailable")


def test_every_metric_is_named_and_explained(client: FlaskClient) -> None:
    text = client.get("/metrics").text
    names = re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)
    assert all(name.startswith("dermserve_") for name in names)
    assert re.findall(r"^# HELP (\w+) \S", text, re.MULTILINE) == names

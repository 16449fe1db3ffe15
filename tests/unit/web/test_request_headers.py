"""What a request may say of itself in headers: its own time, and the trace that it belongs to."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from web.logs import JsonFormatter, trace_id

ANALYZE = "/api/analyze/skin"

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

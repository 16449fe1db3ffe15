"""What gunicorn itself writes into the log."""

from __future__ import annotations

import logging
from datetime import timedelta
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from server.access_log import GunicornLogger


def test_the_access_line_leaves_out_query_and_client(caplog: pytest.LogCaptureFixture) -> None:
    logger = GunicornLogger(Config())
    response = SimpleNamespace(status="200 OK", sent=12, headers=[("X-Request-ID", "r1")])
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/health",
        "QUERY_STRING": "secret=1",
        "RAW_URI": "/health?secret=1",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_USER_AGENT": "agent",
    }
    with caplog.at_level(logging.INFO):
        logger.access(response, None, environ, timedelta(milliseconds=7))
    (record,) = [record for record in caplog.records if record.name == "dermserve.access"]
    assert record.fields == {
        "method": "GET",
        "path": "/health",
        "status": 200,
        "bytes": 12,
        "ms": 7.0,
        "request_id": "r1",
    }


def test_gunicorns_own_lines_quote_no_request(caplog: pytest.LogCaptureFixture) -> None:
    logger = GunicornLogger(Config())
    with caplog.at_level(logging.INFO):
        logger.exception("Error handling request %s %s", "POST", "/api/analyze/skin?secret=1")
    (record,) = caplog.records
    assert record.getMessage() == "Error handling request POST /api/analyze/skin"

"""Every error of gunicorn becomes the one error object, whatever it is, and quotes nothing of the request."""

from __future__ import annotations

import inspect
import json
import logging
import socket
from functools import cache
from http.client import HTTPResponse
from typing import Any

import pytest
from gunicorn.http import errors

from server.instance import this_process
from server.refusals import is_client_fault, refuse
from settings import Settings
from web.app import create_app
from web.http import DEFAULT_HEADERS
from web.process import Served

SECRET = "a secret address"


@cache
def application() -> Served:
    settings = Settings(use_mock_services=True, flask_env="testing")
    served = create_app(settings, this_process(settings)).extensions["dermserve-served"]
    assert isinstance(served, Served)
    return served


def made(kind: type[Exception]) -> Exception:
    """An error of ``kind`` that quotes the request."""
    try:
        return kind(SECRET)
    except TypeError:
        return kind()


def answer_to(error: Exception) -> tuple[HTTPResponse, dict[str, Any]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        refuse(ours, error, application())
        ours.shutdown(socket.SHUT_WR)
        response = HTTPResponse(theirs)
        response.begin()
        return response, json.loads(response.read())


KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.ParseException) and kind is not errors.ParseException
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_error_of_the_server_is_answered(kind: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        response, body = answer_to(made(kind))
    assert set(body) == {"success", "error", "request_id"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["success"] is False
    assert body["error"]["message"]
    expected = "bad_request" if is_client_fault(made(kind)) else "internal_error"
    assert body["error"]["code"] == expected
    assert (response.status == 500) == (expected == "internal_error")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-ID"] == body["request_id"]
    assert response.headers["Connection"] == "close"
    assert {name: response.headers[name] for name in DEFAULT_HEADERS} == DEFAULT_HEADERS
    (record,) = caplog.records
    assert record.getMessage() == ("malformed_request" if expected == "bad_request" else "error")
    assert SECRET not in json.dumps(body) + record.getMessage() + str(record.__dict__.get("fields"))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.LimitRequestLine, 414),
        (errors.LimitRequestHeaders, 431),
        (errors.ExpectationFailed, 417),
        (errors.UnsupportedTransferCoding, 501),
        (errors.InvalidRequestLine, 400),
        (errors.InvalidHeader, 400),
        (errors.InvalidResponseHeader, 500),
    ],
)
def test_statuses(kind: type[Exception], status: int) -> None:
    assert answer_to(made(kind))[0].status == status


def test_what_escapes_the_application_is_its_own_fault() -> None:
    response, body = answer_to(RuntimeError("of the application"))
    assert (response.status, body["error"]["code"]) == (500, "internal_error")
    assert "of the application" not in json.dumps(body)


def test_a_client_that_has_gone_is_no_error() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        refuse(ours, made(errors.InvalidHeader), application())

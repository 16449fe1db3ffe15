"""What every answer has in common: request id, error body, headers, and a line in the log."""

from __future__ import annotations

import logging
import re
import uuid

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from ml.deadline import Deadline
from web.body import drain
from web.errors import BusyError, Failure, error_body, failure_of, http_failure
from web.logs import log_event, request_id
from web.services import Services

_LOG = logging.getLogger("dermserve.analysis")
_SANE_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")
_ANALYSIS = "/api/analyze/skin"
_CORS_HEADERS = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-API-Key, X-Request-ID",
    "Access-Control-Max-Age": "600",
}
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def install(app: Flask, services: Services) -> None:
    """Put the hooks and error handlers on ``app``."""
    origins = frozenset(services.settings.cors_origins)
    app.before_request(lambda: _begin(services))
    app.after_request(lambda response: _finish(response, origins))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _error)
    app.add_url_rule(_ANALYSIS, "preflight", _preflight, methods=["OPTIONS"], provide_automatic_options=False)


def _begin(services: Services) -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
    g.deadline = Deadline(services.settings.deadline_s)
    request_id.set(g.request_id)
    services.start()  # already done under gunicorn; any other server starts loading here


def _finish(response: Response, origins: frozenset[str]) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    response.headers.setdefault("Cache-Control", "no-store")
    for name, value in _SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    _allow_origin(response, origins)
    if response.status_code >= 400:
        drain(request.environ)
    if request.path == _ANALYSIS and request.method == "POST":
        _log_analysis(response)
    request_id.set(None)
    return response


def _allow_origin(response: Response, origins: frozenset[str]) -> None:
    if not origins:
        return
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "X-Request-ID, Retry-After"


def _preflight() -> Response:
    response = Response(status=204)
    response.headers["Allow"] = "OPTIONS, POST"
    response.headers.update(_CORS_HEADERS)
    return response


def _log_analysis(response: Response) -> None:
    deadline: Deadline = g.deadline
    failure: Failure | None = g.get("failure")
    log_event(
        _LOG,
        g.get("event", "analysis"),
        status=response.status_code,
        code=failure.code if failure else None,
        total_ms=round((deadline.seconds - deadline.remaining()) * 1e3, 1),
        **g.get("facts", {}),
    )


def _http_error(error: HTTPException) -> Response:
    response = _refuse(http_failure(error.code or 500, error.name))
    valid_methods = getattr(error, "valid_methods", None)
    if valid_methods:
        response.headers["Allow"] = ", ".join(sorted(valid_methods))
    return response


def _error(error: Exception) -> Response:
    if isinstance(error, BusyError):
        g.event = "shed"
    return _refuse(failure_of(error))


def _refuse(failure: Failure) -> Response:
    g.failure = failure
    response = jsonify(error_body(failure, g.request_id))
    response.status_code = failure.status
    if failure.retry_after_s is not None:
        response.headers["Retry-After"] = str(failure.retry_after_s)
    return response

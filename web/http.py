"""Hooks for every request: request id, deadline, error object, headers and the log line."""

from __future__ import annotations

import logging
import math
import re
import uuid

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from ml.deadline import Deadline
from web import compression, origins
from web.body import drain
from web.errors import BadFieldError, BusyError, ClientGoneError, Failure, error_body, failure_of, http_failure
from web.logs import log_event, request_id, trace_id
from web.services import Services

_LOG = logging.getLogger("dermserve.analysis")
_SAFE_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_TIMEOUT = "X-Request-Timeout"
#: operation → the event of its log line; all others are analyses
_EVENTS = {"api.compare_skin": "comparison", "api.run_selftest": "capability"}
#: headers of every answer, and of nginx's own errors
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
DEFAULT_HEADERS = {"Cache-Control": "no-store", **SECURITY_HEADERS}
#: value of Strict-Transport-Security, which answers over https have
HSTS = "max-age=31536000"


def install(app: Flask, services: Services) -> None:
    """Put the hooks and error handlers on ``app``."""
    _trust_proxies(app, services.settings.proxies)
    compression.install(app)
    origins.install(app, services.settings.cors_origins)
    app.before_request(lambda: _begin(services))
    app.after_request(lambda response: _finish(response, services))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, lambda error: _error(error, services))


def _trust_proxies(app: Flask, count: int) -> None:
    """Take the client's address from X-Forwarded-For: the entry that the outermost of ``count`` proxies added.

    Entries to the left of it come from the client and are not trusted. The scheme is the one that the last proxy
    states; on Elastic Beanstalk this is the scheme of the request to the load balancer.
    """
    if count:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=1, x_host=0)  # type: ignore[method-assign]


def _begin(services: Services) -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex
    g.deadline = Deadline(services.settings.deadline_s)
    request_id.set(g.request_id)
    trace = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    trace_id.set(trace and trace[1])
    services.start()  # gunicorn has done this already; under any other server, loading starts here
    if request.blueprint == "api" and _TIMEOUT in request.headers:
        g.deadline = Deadline(min(_wanted_seconds(request.headers[_TIMEOUT]), services.settings.deadline_s))


def _wanted_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise BadFieldError(f"{_TIMEOUT} must be a number of seconds above 0, such as 2.5.", field=_TIMEOUT)
    return seconds


def _finish(response: Response, services: Services) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    # Not `setdefault`: it searches all headers for each name, which would take a tenth of the time of a refusal.
    present = {name.lower() for name, _ in response.headers}
    response.headers.extend([item for item in DEFAULT_HEADERS.items() if item[0].lower() not in present])
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = HSTS
    if response.status_code >= 400:
        drain(request.environ, services.uploads)
    if request.blueprint == "api" and request.method == "POST":
        _log_analysis(response)
    elif request.method == "OPTIONS" and response.status_code == 200:
        response.status_code = 204
    services.metrics.request(request.url_rule.rule if request.url_rule else "none", response.status_code)
    request_id.set(None)
    trace_id.set(None)
    return response


def _log_analysis(response: Response) -> None:
    deadline: Deadline = g.deadline
    failure: Failure | None = g.get("failure")
    log_event(
        _LOG,
        g.get("event") or _EVENTS.get(request.endpoint or "", "analysis"),
        status=response.status_code,
        code=failure.code if failure else None,
        stage=failure.details.get("stage") if failure else None,
        total_ms=round((deadline.seconds - deadline.remaining()) * 1e3, 1),
        **g.get("facts", {}),
    )


def _http_error(error: HTTPException) -> Response:
    response = _refuse(http_failure(error.code or 500, error.name))
    valid_methods = getattr(error, "valid_methods", None)
    if valid_methods:
        response.headers["Allow"] = ", ".join(sorted(valid_methods))
    return response


def _error(error: Exception, services: Services) -> Response:
    if isinstance(error, BusyError):
        g.event = "shed"
        services.metrics.shed()
    elif isinstance(error, ClientGoneError):
        g.event = "client_gone"
        services.metrics.client_gone()
    return _refuse(failure_of(error))


def _refuse(failure: Failure) -> Response:
    g.failure = failure
    response = jsonify(error_body(failure, g.request_id))
    response.status_code = failure.status
    if failure.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="DermServe"'
    if failure.retry_after_s is not None:
        response.headers["Retry-After"] = str(failure.retry_after_s)
    return response

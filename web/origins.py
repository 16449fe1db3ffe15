"""Web pages of other origins (CORS): which may call the service, and which of its files every page may load."""

from __future__ import annotations

import logging
import re

from flask import Flask, Response, request
from flask_cors import CORS

from settings import LOCALHOST
from web.logs import log_event

_LOG = logging.getLogger("dermserve.origins")
#: what ``localhost`` stands for: pages of this machine, on any port
_LOCAL = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
#: the files of the web component, which has no data of anybody: modules, styles and icons
_SHARED = re.compile(r"/assets/.+\.(js|css|svg)")
#: request headers that the service reads, apart from those that every page may send
_READ = (
    *("Accept-Language", "Authorization", "Content-Encoding", "Content-Type", "If-None-Match", "Prefer", "traceparent"),
    *("X-API-Key", "X-Request-ID", "X-Request-Timeout"),
)
_EXPOSED = ("Content-Language", "ETag", "Retry-After", "X-Request-ID")
#: limits of the log lines about other origins: how many in the life of a process, and what an origin looks like
_MOST_HINTS = 20
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]{1,90}|null")
_NOT_ALLOWED = (
    "Pages of this origin cannot read answers. List it in DERMSERVE_CORS_ORIGINS to allow them. "
    "DERMSERVE_CORS_ORIGINS=localhost allows pages of this machine, for development."
)
_NO_ORIGIN = (
    "A page that was opened from a file has no origin that can be allowed. Serve it over HTTP, for example with "
    "`python -m http.server`, and set DERMSERVE_CORS_ORIGINS=localhost."
)


def install(app: Flask, origins: tuple[str, ...]) -> None:
    """Allow pages of ``origins`` to call the service, and all pages to load the files of the web component."""
    # Patterns, because the library would read the brackets of an IPv6 address as a pattern.
    allowed = [re.compile(rf"(?:{_LOCAL if one == LOCALHOST else re.escape(one)})\Z") for one in origins]
    if allowed:
        CORS(
            app,
            origins=allowed,
            methods=["GET", "POST", "OPTIONS"],
            allow_headers=list(_READ),
            expose_headers=list(_EXPOSED),
            max_age=600,
            always_send=False,  # without an Origin header, the answer would list all origins
            vary_header=False,  # `_vary` adds the header to every answer; the library omits it for other origins
            intercept_exceptions=False,  # the error handlers make an answer of every exception
        )
        app.after_request(_vary)
    hinted: set[str] = set()

    @app.after_request
    def hint(response: Response) -> Response:
        origin = request.headers.get("Origin", "")
        if _is_of_another_page() and not any(one.match(origin) for one in allowed):
            _hint(origin, hinted)
        return response

    # Hooks run in reverse order: this one comes before that of CORS, which leaves answers that allow an origin.
    app.after_request(_share)


def _vary(response: Response) -> Response:
    if not _SHARED.fullmatch(request.path):
        response.vary.add("Origin")
    return response


def _share(response: Response) -> Response:
    """Let every page load ``response`` if it is a file of the web component."""
    if _SHARED.fullmatch(request.path):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _is_of_another_page() -> bool:
    """Whether a page of another origin sent the request and wants to read the answer. The service's own page sends an
    Origin too, but no preflight, and says that it is of the same origin."""
    if "Origin" not in request.headers or _SHARED.fullmatch(request.path):
        return False
    if request.method == "OPTIONS":
        return "Access-Control-Request-Method" in request.headers
    return request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")


def _hint(origin: str, hinted: set[str]) -> None:
    """Tell the operator once which origin is not allowed, and which setting allows it."""
    if origin in hinted or len(hinted) >= _MOST_HINTS or not _ORIGIN.fullmatch(origin):
        return
    hinted.add(origin)
    advice = _NO_ORIGIN if origin == "null" else _NOT_ALLOWED
    log_event(_LOG, "origin_not_allowed", level=logging.WARNING, origin=origin, advice=advice)

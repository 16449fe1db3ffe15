"""Which web pages of other origins may call the service: those that the settings list, and no other."""

from __future__ import annotations

import re

from flask import Flask, Response
from flask_cors import CORS

#: what pages may send, and what they may read of an answer beside its body
ALLOWED_HEADERS = ("Authorization", "Content-Type", "X-API-Key", "X-Request-ID", "X-Request-Timeout")
EXPOSED_HEADERS = ("X-Request-ID", "Retry-After")
_PREFLIGHT_MAX_AGE_S = 600


def install(app: Flask, origins: tuple[str, ...]) -> None:
    """Answer listed ``origins`` with exactly one allowed origin, their own; all others as if they were none."""
    if not origins:
        return
    CORS(
        app,
        # As patterns, so that each is taken literally, brackets of an IPv6 address included.
        origins=[re.compile(rf"{re.escape(origin)}\Z") for origin in origins],
        methods=["GET", "POST", "OPTIONS"],
        allow_headers=list(ALLOWED_HEADERS),
        expose_headers=list(EXPOSED_HEADERS),
        max_age=_PREFLIGHT_MAX_AGE_S,
        always_send=False,  # a request without an origin would get the whole list, one header each
        vary_header=False,  # the library adds it to allowed origins' answers alone, and caches keep the others too
        intercept_exceptions=False,  # every failure passes the hooks as an answer
    )
    app.after_request(_vary)


def _vary(response: Response) -> Response:
    response.vary.add("Origin")
    return response

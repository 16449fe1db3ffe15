"""Answers with the JSON error object where gunicorn would send its own page: malformed requests, unexpected errors."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from gunicorn.http import errors as http  # type: ignore[import-untyped]
from gunicorn.util import http_date, write_nonblock  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from web.process import Refusal, Served

#: gunicorn's error class → (status, message); the nearest listed base class decides
_REASONS: Mapping[type[Exception], tuple[int, str]] = {
    http.LimitRequestLine: (414, "The address is too long. Send the fields in the body."),
    http.LimitRequestHeaders: (431, "The headers are too many or too long. Send long values in the body."),
    http.ExpectationFailed: (417, "The Expect header is not supported, except for 100-continue."),
    http.UnsupportedTransferCoding: (501, "This Transfer-Encoding is not supported. Use chunked, or a Content-Length."),
    http.InvalidHTTPVersion: (400, "This version of HTTP is not supported. Use HTTP/1.1."),
    http.InvalidRequestMethod: (400, "The HTTP method is missing or malformed. Write it in capitals, such as POST."),
    http.InvalidHeader: (400, "A header is malformed, or Content-Length and Transfer-Encoding disagree."),
    http.InvalidHeaderName: (400, "A header name is malformed. Use letters, digits and hyphens."),
    http.ObsoleteFolding: (400, "A header continues on a second line. Send each header on one line."),
    http.ParseException: (400, "The request is not HTTP, or is malformed. This port does not speak TLS (https)."),
}
#: subclasses of these errors that are the service's fault
_OUR_FAULTS = (http.ConfigurationProblem, http.InvalidResponseHeader, http.InvalidResponseHeaderName)


def is_client_fault(error: Exception) -> bool:
    """Whether ``error`` means that the request was malformed."""
    return isinstance(error, http.ParseException) and not isinstance(error, _OUR_FAULTS)


def refuse(client: socket.socket, error: Exception, application: Served) -> None:
    """Answer ``error`` on the connection ``client`` with the JSON error object. The caller closes the connection."""
    refusal = application.refusal(error, _reason(error))
    with suppress(OSError):  # the client has gone
        write_nonblock(client, _response(refusal))


def _reason(error: Exception) -> tuple[int, str] | None:
    """(status, message) for a malformed request; None for a fault of the service."""
    if not is_client_fault(error):
        return None
    return next(_REASONS[kind] for kind in type(error).__mro__ if kind in _REASONS)


def _response(refusal: Refusal) -> bytes:
    headers = {
        "Date": http_date(),
        "Connection": "close",
        "Content-Length": str(len(refusal.body)),
        **refusal.headers,
    }
    first_line = f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}"
    head = "\r\n".join([first_line, *(f"{name}: {value}" for name, value in headers.items()), "", ""])
    return head.encode("ascii") + refusal.body

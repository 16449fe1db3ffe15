"""The errors that a client may receive.

Each error is one class with a status, a code and a docstring: the first sentence says when it happens, the rest what
the client does about it. ``/api/docs`` lists them, and so does ``python -m web.errors > docs/errors.md``.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeVar

from ml.errors import (
    DeadlineExceededError,
    EmptyImageError,
    ImageError,
    ImageTooLargeError,
    MLError,
    UnsupportedImageError,
)
from web.logs import log_event

_LOG = logging.getLogger("dermserve.errors")
_E = TypeVar("_E", bound=Exception)


class RequestError(Exception):
    """Base class of this package's errors.

    The message tells the client what to do. ``details`` are further facts for programs. ``retry_after_s`` is the number
    of seconds to wait before the next try; None if waiting does not help.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init_subclass__(cls, status: int, code: str) -> None:
        cls.status, cls.code = status, code

    def __init__(self, message: str, retry_after_s: int | None = None, /, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.details = details


class NoImageError(RequestError, status=400, code="no_image"):
    """The request contains no photo. Send it in the field `image`."""


class TooManyImagesError(RequestError, status=400, code="too_many_images"):
    """The request has more photos than one case may have. Send one case in a request."""


class BadJsonError(RequestError, status=400, code="bad_json"):
    """The body is not a JSON object. Send an object, or correct the Content-Type."""


class BadBase64Error(RequestError, status=400, code="bad_base64"):
    """The text of the photo is not base64. Encode the file, or send the file itself in a form."""


class BadMultipartError(RequestError, status=400, code="bad_multipart"):
    """The multipart body is cut short or malformed. Leave its Content-Type to the HTTP library."""


class BadEncodingError(RequestError, status=400, code="bad_encoding"):
    """The body is not compressed as Content-Encoding says. Correct the header, or leave it out."""


class BadFieldError(RequestError, status=400, code="bad_field"):
    """A field cannot be read, or is out of its range. Correct the field in `details.field`."""


class IncompleteBodyError(RequestError, status=400, code="incomplete_body"):
    """The connection ended before the whole body had arrived. Send the request again."""


class KeyRequiredError(RequestError, status=401, code="key_required"):
    """The service needs a valid key, and the request has none. Send one as `Authorization: Bearer …` or `X-API-Key`."""


class NoSuchThumbnailError(RequestError, status=404, code="no_such_thumbnail"):
    """The index has no such case or photo. Use an address from `similar_cases` in an answer."""


class SlowUploadError(RequestError, status=408, code="slow_upload"):
    """The upload was too slow, and other requests were waiting. Send a smaller photo, or use a faster connection."""


class BodyTooLargeError(RequestError, status=413, code="body_too_large"):
    """The body has more bytes than the service accepts. Send smaller photos; `/api/label` states the limit."""


class UnsupportedBodyError(RequestError, status=415, code="unsupported_media_type"):
    """The service does not read this form of body. Send a form, JSON or the bytes of a photo."""


class ImpossibleValueError(RequestError, status=422, code="impossible_value"):
    """A value is impossible for a person, or is not a known word. Correct the field in `details.field`."""


class RateLimitedError(RequestError, status=429, code="rate_limited"):
    """This client has sent more requests than the settings allow. Wait for the seconds in Retry-After."""


class ClientGoneError(RequestError, status=499, code="client_gone"):
    """The client closed the connection before the answer. Nothing: this code appears only in the log (the status is
    nginx's)."""


class UnavailableError(RequestError, status=503, code="unavailable"):
    """The service cannot analyse, and waiting does not help. Ask its operator."""


class BusyError(UnavailableError, status=503, code="busy"):
    """The service is full and could not analyse in time. Wait for the seconds in Retry-After."""


class NotReadyError(UnavailableError, status=503, code="not_ready"):
    """The service is still loading its models, or it is stopping. Wait for the seconds in Retry-After."""


#: statuses of the ml errors that a client can correct; the nearest listed base class decides
_STATUS_OF_ML: Mapping[type[Exception], int] = {
    EmptyImageError: 400,
    ImageTooLargeError: 413,
    UnsupportedImageError: 415,
    ImageError: 422,
    DeadlineExceededError: 504,
}

#: failures that Flask raises: status → (code, message)
HTTP_FAILURES: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request is malformed. Compare it with the examples at /api/docs."),
    404: ("not_found", "There is nothing at this address. To analyse a photo, use POST /api/analyze/skin."),
    405: ("method_not_allowed", "This address does not accept this method. Use a method from the Allow header."),
}

_GENERIC = "The service failed. Try again later. If it fails again, report the request id."


def _family(root: type[_E]) -> Iterator[type[_E]]:
    yield root
    for child in root.__subclasses__():
        yield from _family(child)


#: error class → (status, code); the nearest listed base class decides
STATUS: Mapping[type[Exception], tuple[int, str]] = {
    **{kind: (kind.status, kind.code) for kind in _family(RequestError)},
    **{
        kind: (next(_STATUS_OF_ML[base] for base in kind.__mro__ if base in _STATUS_OF_ML), kind.code)
        for kind in (*_family(ImageError), *_family(DeadlineExceededError))
    },
    Exception: (500, "internal_error"),
}


@dataclass(frozen=True)
class Failure:
    """The part of an error that the client receives."""

    status: int
    code: str
    message: str
    details: Mapping[str, object]
    retry_after_s: int | None = None


def failure_of(error: Exception) -> Failure:
    """The failure that the client receives for ``error``. Causes and unexpected errors go only to the log."""
    status, code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if status == 500 or not isinstance(error, RequestError | MLError):
        log_event(_LOG, "error", level=logging.ERROR, error=type(error).__name__, exc_info=error)
        return Failure(500, "internal_error", _GENERIC, {})
    if error.__cause__ is not None:
        # Log only the class: the text of a decoding error may quote bytes of the photo.
        log_event(_LOG, "refused", code=code, cause=type(error.__cause__).__name__)
    return Failure(status, code, error.message, error.details, getattr(error, "retry_after_s", None))


def http_failure(status: int, name: str) -> Failure:
    """The failure for an HTTP error that Flask raised; ``name`` is the standard's phrase, such as "Not Found"."""
    code, message = HTTP_FAILURES.get(status, (name.lower().replace(" ", "_"), f"{name}."))
    return Failure(status, code, message if status < 500 else _GENERIC, {})


def error_body(failure: Failure, request_id: str) -> dict[str, object]:
    """The JSON object of every error."""
    return {
        "success": False,
        "error": {"code": failure.code, "message": failure.message, "details": dict(failure.details)},
        "request_id": request_id,
    }


class Entry(NamedTuple):
    """A line of the table of errors: ``when`` it happens, and the ``advice`` what to do."""

    status: int
    code: str
    when: str
    advice: str


def entries() -> list[Entry]:
    """Every error that a client may receive, by status and code."""
    texts = [(status, code, inspect.getdoc(kind) or "") for kind, (status, code) in STATUS.items() if status != 500]
    texts += [(status, code, message) for status, (code, message) in HTTP_FAILURES.items()]
    texts += [(500, "internal_error", _GENERIC)]
    return sorted(Entry(status, code, *_when_and_advice(text)) for status, code, text in texts)


def _when_and_advice(text: str) -> tuple[str, str]:
    """The first sentence of ``text``, and the rest."""
    when, _, advice = " ".join(text.split()).partition(". ")
    return f"{when}.", advice


def markdown() -> str:
    """The page docs/errors.md."""
    return _HEAD + "".join(f"| {one.status} | `{one.code}` | {one.when} | {one.advice} |\n" for one in entries())


_HEAD = """# Errors

What each `code` of the [error object](api.md#errors) means, and what to do.

This page is made by `python -m web.errors > docs/errors.md`.

| status | code | when | what to do |
|---|---|---|---|
"""

if __name__ == "__main__":
    sys.stdout.write(markdown())

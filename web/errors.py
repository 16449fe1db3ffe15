"""What goes wrong on the way of a request, and the one table that says what the caller sees of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ml import errors as ml_errors
from web.logs import log_event

_LOG = logging.getLogger("dermserve.errors")


class RequestError(Exception):
    """Root of this room's errors. The message is written for the caller; ``details`` are numbers and words."""

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class NoImageError(RequestError):
    """The request holds no photo."""


class TooManyImagesError(RequestError):
    """More photos than one case may have."""


class BadJsonError(RequestError):
    """The body is not a JSON object."""


class BadBase64Error(RequestError):
    """The image text is not base64."""


class BadMultipartError(RequestError):
    """The multipart body is cut short or malformed."""


class BadEncodingError(RequestError):
    """The body is not compressed as its Content-Encoding says."""


class BadFieldError(RequestError):
    """A field that cannot be read at all."""


class ImpossibleValueError(RequestError):
    """A field that is well formed, but cannot be true of a person or is not known."""


class IncompleteBodyError(RequestError):
    """The connection ended before the announced body did."""


class SlowUploadError(RequestError):
    """The body arrived so slowly that it had to make way for others."""


class BodyTooLargeError(RequestError):
    """More bytes than the service accepts, announced or sent."""


class UnsupportedBodyError(RequestError):
    """None of the accepted request forms."""


class KeyRequiredError(RequestError):
    """The service asks for a key, and the request has none that it knows."""


class RateLimitedError(RequestError):
    """This client has asked more often than the settings allow."""

    def __init__(self, message: str, retry_after_s: int = 1, **details: object) -> None:
        super().__init__(message, **details)
        self.retry_after_s = retry_after_s


class NoSuchThumbnailError(RequestError):
    """The index has no such case or photo."""


class UnavailableError(RequestError):
    """The service cannot analyse now; ``retry_after_s`` says when to ask again, None: not by waiting."""

    def __init__(self, message: str, retry_after_s: int | None = None, **details: object) -> None:
        super().__init__(message, **details)
        self.retry_after_s = retry_after_s


class BusyError(UnavailableError):
    """Shed: as many analyses are held as can be answered in time."""


class ClientGoneError(RequestError):
    """The connection was closed before the answer: there is no one to work for, and no one reads this."""


class NotReadyError(UnavailableError):
    """The models are still being loaded."""


#: error class → (status, code). The nearest base class that is listed decides.
STATUS: Mapping[type[Exception], tuple[int, str]] = {
    NoImageError: (400, "no_image"),
    TooManyImagesError: (400, "too_many_images"),
    BadJsonError: (400, "bad_json"),
    BadBase64Error: (400, "bad_base64"),
    BadMultipartError: (400, "bad_multipart"),
    BadEncodingError: (400, "bad_encoding"),
    BadFieldError: (400, "bad_field"),
    IncompleteBodyError: (400, "incomplete_body"),
    KeyRequiredError: (401, "key_required"),
    NoSuchThumbnailError: (404, "no_such_thumbnail"),
    SlowUploadError: (408, "slow_upload"),
    BodyTooLargeError: (413, "body_too_large"),
    UnsupportedBodyError: (415, "unsupported_media_type"),
    ImpossibleValueError: (422, "impossible_value"),
    RateLimitedError: (429, "rate_limited"),
    ClientGoneError: (499, "client_gone"),  # as nginx logs it; HTTP has no status for it
    BusyError: (503, "busy"),
    NotReadyError: (503, "not_ready"),
    UnavailableError: (503, "unavailable"),
    ml_errors.EmptyImageError: (400, "empty_image"),
    ml_errors.ImageTooLargeError: (413, "too_many_pixels"),
    ml_errors.UnsupportedImageError: (415, "unsupported_image"),
    ml_errors.DamagedImageError: (422, "damaged_image"),
    ml_errors.ImageTooSmallError: (422, "image_too_small"),
    ml_errors.ImageError: (422, "bad_image"),
    ml_errors.DeadlineExceededError: (504, "deadline_exceeded"),
    Exception: (500, "internal_error"),
}

#: HTTP's own failures, as the framework raises them: status → (code, message)
HTTP_FAILURES: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be understood."),
    404: ("not_found", "There is nothing at this address. The analysis is at POST /api/analyze/skin."),
    405: ("method_not_allowed", "This address does not answer to this method; the Allow header names those it does."),
}

_GENERIC = "Something went wrong on our side. The request id finds the cause in the log."


@dataclass(frozen=True)
class Failure:
    """What the caller is told."""

    status: int
    code: str
    message: str
    details: Mapping[str, object]
    retry_after_s: int | None = None


def failure_of(error: Exception) -> Failure:
    """The row of STATUS for ``error``. Causes and everything unforeseen go to the log, never to the caller."""
    status, code = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    if status == 500 or not isinstance(error, RequestError | ml_errors.MLError):
        log_event(_LOG, "error", level=logging.ERROR, error=type(error).__name__, exc_info=error)
        return Failure(500, "internal_error", _GENERIC, {})
    if error.__cause__ is not None:
        # Only the kind: the text of a decoding error may quote the bytes that it failed on.
        log_event(_LOG, "refused", code=code, cause=type(error.__cause__).__name__)
    return Failure(status, code, error.message, error.details, getattr(error, "retry_after_s", None))


def http_failure(status: int, name: str) -> Failure:
    """What the caller is told of a failure that HTTP itself defines; ``name`` is the standard's phrase."""
    code, message = HTTP_FAILURES.get(status, (name.lower().replace(" ", "_"), f"{name}."))
    return Failure(status, code, message if status < 500 else _GENERIC, {})


def error_body(failure: Failure, request_id: str) -> dict[str, object]:
    """The one error object."""
    return {
        "success": False,
        "error": {"code": failure.code, "message": failure.message, "details": dict(failure.details)},
        "request_id": request_id,
    }

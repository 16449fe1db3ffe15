"""What a call raises if it brings no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """The call brings no answer. ``message`` says what to do. ``body`` is the service's error object, or empty."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        body: Mapping[str, Any] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.body = dict(body or {})
        #: The id of the request in the service's log; None if no service answered.
        self.request_id = request_id

    @property
    def code(self) -> str | None:
        """The service's error code, such as ``damaged_image``. Codes are stable."""
        code = self._error.get("code")
        return str(code) if code else None

    @property
    def details(self) -> dict[str, Any]:
        """What the service adds to the error, such as ``{"field": "age"}``."""
        details = self._error.get("details")
        return dict(details) if isinstance(details, Mapping) else {}

    @property
    def _error(self) -> Mapping[str, Any]:
        error = self.body.get("error")
        return error if isinstance(error, Mapping) else {}


class RefusedError(ClientError):
    """The service refuses this request, and a retry does not help (4xx except 429)."""


class UnavailableError(ClientError):
    """The service cannot answer now: full, loading, out of time, or broken (429, 5xx)."""


class UnreachableError(ClientError):
    """No DermServe service answers at this address."""


class UnknownAnswerError(ClientError):
    """The answer does not have the form that this version of the client reads. ``body`` is the answer."""

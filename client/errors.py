"""What can go wrong with an analysis, as its caller sees it. Every message says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Root of this package's errors. ``body`` is the service's own error object, where it sent one."""

    def __init__(self, message: str, *, status: int | None = None, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.body = dict(body or {})

    @property
    def code(self) -> str | None:
        """The service's stable code of what is wrong, such as ``damaged_image``."""
        code = (self.body.get("error") or {}).get("code")
        return str(code) if code else None


class RefusedError(ClientError):
    """The service will not take this request, however often it is sent (4xx)."""


class UnavailableError(ClientError):
    """The service cannot answer now: full, loading, out of time, or broken (429, 5xx)."""


class UnreachableError(ClientError):
    """Nothing answers at this address."""

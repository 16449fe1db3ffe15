"""The documented answers: every status of every operation, each failure as the one error object."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from web.errors import HTTP_FAILURES, STATUS, Failure, error_body

_REQUEST_ID: dict[str, Any] = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
_RETRY_AFTER = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
_ALLOW = {"Allow": {"description": "The methods that the address answers to.", "schema": {"type": "string"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "How a key is sent.", "schema": {"type": "string"}}}
_EXTRA_HEADERS: dict[int, dict[str, Any]] = {401: _CHALLENGE, 405: _ALLOW, 429: _RETRY_AFTER, 503: _RETRY_AFTER}

HEADERS = {
    "X-Request-ID": {
        "description": "Names the request in the log: the caller's own, if it sent a harmless one.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "Retry-After": {
        "description": "Seconds to wait before asking again. Absent where waiting does not help.",
        "schema": {"type": "integer", "minimum": 1},
    },
}


def ref(model: type) -> dict[str, str]:
    """A reference to the schema of ``model``."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def success(description: str, content: dict[str, Any]) -> dict[str, Any]:
    """The answer 200; ``content`` by media type."""
    return {"200": {"description": description, "headers": dict(_REQUEST_ID), "content": content}}


def json_success(description: str, *models: type, example: object = None) -> dict[str, Any]:
    """The answer 200 as one of ``models``."""
    schema = ref(models[0]) if len(models) == 1 else {"anyOf": [ref(model) for model in models]}
    media = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return success(description, {"application/json": media})


def failures(*statuses: int, also: dict[int, type] | None = None) -> dict[str, Any]:
    """Each status with its codes and an example; ``also`` names another body that a status may have."""
    return {str(status): _failure(status, (also or {}).get(status)) for status in sorted({*statuses, 405, 500})}


def codes(status: int) -> list[str]:
    """The error codes that a failure with ``status`` may have."""
    own = [code for number, code in STATUS.values() if number == status]
    return sorted({*own, *([HTTP_FAILURES[status][0]] if status in HTTP_FAILURES else [])})


def _failure(status: int, other: type | None) -> dict[str, Any]:
    error = {"$ref": "#/components/schemas/ErrorAnswer"}
    example = Failure(status, codes(status)[0], "What to do, in words for the caller.", {})
    return {
        "description": f"{HTTPStatus(status).phrase}. Codes: {_listed(codes(status))}.",
        "headers": _REQUEST_ID | _EXTRA_HEADERS.get(status, {}),
        "content": {
            "application/json": {
                "schema": {"anyOf": [error, ref(other)]} if other else error,
                "example": error_body(example, "0af7651916cd43dd8448eb211c80319c"),
            }
        },
    }


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)

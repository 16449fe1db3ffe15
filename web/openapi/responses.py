"""What the service sends, for the document: answers and errors with their headers and examples."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from pydantic import BaseModel
from werkzeug.http import HTTP_STATUS_CODES

from web.answers.service import ErrorAnswer
from web.errors import ClientGoneError, Failure, entries, error_body
from web.openapi.examples import example_of
from web.openapi.inputs import SCHEMAS
from web.openapi.operations import Operation, paragraphs
from web.services import Services

#: answers that are not JSON of a model: media type → content
_OTHERS: dict[str, dict[str, Any]] = {
    "application/json": {"application/json": {"schema": {"type": "object"}}},
    "image/webp": {"image/webp": {}, "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "text/html": {"text/html": {"schema": {"type": "string"}}},
    "text/plain": {"text/plain": {"schema": {"type": "string"}}},
}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The id of the request in the log: the client's own, if it is valid.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "Content-Language": {"description": "The language of texts for people.", "schema": {"type": "string"}},
    "ETag": {"description": "Names this state of the answer, for If-None-Match.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "Seconds to wait before the next try. Absent if waiting does not help.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Allow": {"description": "The methods that the address accepts.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to send a key.", "schema": {"type": "string"}},
}
#: status → the header that its answers have
_STATUS_HEADERS = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}
_REQUEST_ID = "0af7651916cd43dd8448eb211c80319c"


def ref(model: type[BaseModel]) -> dict[str, str]:
    """A reference to the schema of ``model``."""
    return {"$ref": SCHEMAS + model.__name__}


def success(summary: str, operation: Operation, services: Services) -> dict[str, Any]:
    """The answer with the status 200. ``summary`` describes an operation whose answer has no model."""
    content: dict[str, Any] = _OTHERS.get(operation.media_type, {})
    if operation.answer:
        example = {"example": example_of(operation.example(services))} if operation.example else {}
        content = {operation.media_type: {"schema": ref(operation.answer), **example}}
    described = paragraphs(inspect.getdoc(operation.answer)) if operation.answer else summary
    extra = {"Content-Language": operation.translated, "ETag": operation.cacheable}
    headers = _headers("X-Request-ID", *(name for name, is_sent in extra.items() if is_sent))
    return {"description": described, "headers": headers, "content": content}


def shared() -> dict[str, Any]:
    """The component responses: name → answer without a body, or error answer, one for each status."""
    not_modified = {
        "description": "The client's copy, which has the ETag in If-None-Match, is still current.",
        "headers": _headers("X-Request-ID", "ETag"),
    }
    return {_name(304): not_modified, **{_name(status): _failure(status) for status in _meanings()}}


def failure(status: int, operation: Operation) -> dict[str, Any]:
    """The error answer of an operation: a reference to the shared one, unless the status has a second body."""
    if status not in operation.also:
        return {"$ref": f"#/components/responses/{_name(status)}"}
    described = _failure(status)
    media = described["content"]["application/json"]
    media["schema"] = {"anyOf": [media["schema"], ref(operation.also[status])]}
    return described


@cache
def _meanings() -> dict[int, dict[str, str]]:
    """Status → code → meaning, of every error that a client may receive."""
    found: dict[int, dict[str, str]] = {}
    for one in entries():
        if one.status != ClientGoneError.status:
            found.setdefault(one.status, {})[one.code] = f"{one.when} {one.advice}"
    return found


def _failure(status: int) -> dict[str, Any]:
    codes = _meanings()[status]
    return {
        "description": f"{HTTP_STATUS_CODES[status]}. Codes: {', '.join(f'`{code}`' for code in codes)}.",
        "headers": _headers("X-Request-ID", *([_STATUS_HEADERS[status]] if status in _STATUS_HEADERS else [])),
        "content": {
            "application/json": {
                "schema": ref(ErrorAnswer),
                "examples": {
                    code: {"value": error_body(Failure(status, code, meaning, {}), _REQUEST_ID)}
                    for code, meaning in codes.items()
                },
            }
        },
    }


def _name(status: int) -> str:
    return HTTP_STATUS_CODES[status].title().replace(" ", "")


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}

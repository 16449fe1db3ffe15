"""Makes the OpenAPI 3.1 document from the models of requests and answers, and from the ``documented`` decorator of each
route. The first line of a route's docstring is its summary."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, get_type_hints

import numpy as np
from flask import Flask
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from ml.analysis.pipeline import CaseRequest
from ml.deadline import Deadline
from ml.values import Photo
from settings import Settings
from web import __version__
from web.answers import DISCLAIMER, AnalysisAnswer, ErrorAnswer, render_analysis
from web.errors import HTTP_FAILURES, STATUS, Failure, error_body
from web.mock import MockAnalyzer

#: media types of bodies that are one photo
IMAGE_TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"),
    *("image/heic", "image/heif", "image/avif", "application/octet-stream", "binary/octet-stream"),
)

View = TypeVar("View", bound=Callable[..., Any])

#: where an application keeps its document
_KEY = "dermserve-openapi"
_SCHEMAS = "#/components/schemas/"
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_BASE64 = {"type": "string", "format": "byte", "contentEncoding": "base64", "minLength": 1}
_PARAMETERS = {
    "X-Request-Timeout": {
        "name": "X-Request-Timeout",
        "in": "header",
        "description": "Time limit of the client in seconds. The service's own limit still applies.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "An id for the request: letters, digits, `.`, `_`, `:` and `-`. Any other value is replaced.",
        "schema": {"type": "string", "maxLength": 128},
    },
}
_HEADERS = {
    "X-Request-ID": {
        "description": "The id of the request in the log: the client's own, if it is valid.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try. Absent if waiting does not help.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Allow": {"description": "The methods that the address accepts.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to send a key.", "schema": {"type": "string"}},
}
#: status → the header that its answers have
_STATUS_HEADERS = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


@dataclass(frozen=True)
class Operation:
    """The arguments that a route gave to ``documented``."""

    name: str
    answers: tuple[type[BaseModel] | str, ...]
    failures: tuple[int, ...]
    requests: tuple[type[BaseModel], ...]
    also: Mapping[int, type[BaseModel]]

    @property
    def models(self) -> list[type[BaseModel]]:
        """The models of its answers, errors included."""
        return [*(one for one in self.answers if not isinstance(one, str)), *self.also.values(), ErrorAnswer]


_OPERATIONS: dict[Callable[..., Any], Operation] = {}


def documented(
    *answers: type[BaseModel] | str,
    name: str = "",
    failures: tuple[int, ...] = (),
    requests: tuple[type[BaseModel], ...] = (),
    also: Mapping[int, type[BaseModel]] | None = None,
) -> Callable[[View], View]:
    """Decorator that adds a route to the document.

    ``answers`` are models, or the media types of answers that are not JSON. ``failures`` are error statuses in addition
    to 405 and 500, which every route has. ``also`` maps a status to a second possible body. ``requests`` are the models
    of the request body; the first one is the model with photos. ``name`` is the operation's id, by default the
    function's name.
    """

    def declare(view: View) -> View:
        _OPERATIONS[view] = Operation(name or view.__name__, answers, failures, requests, also or {})
        return view

    return declare


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of ``app``. It is built once and shared, so do not change it."""
    if _KEY not in app.extensions:
        app.extensions[_KEY] = _build_document(app, app.extensions["dermserve"].settings)
    found: dict[str, Any] = app.extensions[_KEY]
    return found


def name_of(reference: str) -> str:
    """The schema's name in a reference."""
    return reference.removeprefix(_SCHEMAS)


def _build_document(app: Flask, settings: Settings) -> dict[str, Any]:
    views = ((rule, app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules())
    declared = [(rule, view, _OPERATIONS[view]) for rule, view in views if view in _OPERATIONS]
    models = dict.fromkeys(model for _, _, operation in declared for model in operation.models)
    _, definitions = models_json_schema(
        [(model, "serialization") for model in models], ref_template=_SCHEMAS + "{model}"
    )
    components = {"schemas": definitions["$defs"], "headers": _HEADERS, "parameters": _PARAMETERS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DermServe",
            "version": __version__,
            "description": DISCLAIMER,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            _VARIABLE.sub(r"{\1}", rule.rule): {
                "post" if operation.requests else "get": _operation_object(rule, view, operation, settings)
            }
            for rule, view, operation in declared
        },
        "components": components | ({"securitySchemes": _SECURITY} if settings.api_keys else {}),
    }


def _operation_object(rule: Rule, view: Callable[..., Any], operation: Operation, settings: Settings) -> dict[str, Any]:
    summary = (inspect.getdoc(view) or "").split("\n")[0].removesuffix(".")
    timed = ["X-Request-Timeout"] if rule.endpoint.startswith("api.") else []
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": summary,
        "parameters": [
            *_path_parameters(rule, view),
            *({"$ref": f"#/components/parameters/{header}"} for header in (*timed, "X-Request-ID")),
        ],
        "responses": {"200": _success(f"{summary}.", operation, settings)},
    }
    statuses = {*operation.failures, 405, 500}
    if operation.requests:
        photos = operation.requests[0]
        described["description"] = " ".join((photos.__doc__ or "").split())
        described["parameters"] = [*_query_parameters(photos), *described["parameters"]]
        described["requestBody"] = {"required": True, "content": _bodies(photos, *operation.requests[1:])}
        if settings.api_keys:
            described["security"] = [{scheme: []} for scheme in _SECURITY]
            statuses |= {401, 429}
        if settings.rate_limit:
            statuses |= {429}
    described["responses"] |= {str(status): _failure(status, operation.also.get(status)) for status in sorted(statuses)}
    return described


def _path_parameters(rule: Rule, view: Callable[..., Any]) -> list[dict[str, Any]]:
    types = get_type_hints(view, include_extras=True)
    return [
        {"name": name, "in": "path", "required": True, "schema": TypeAdapter(types[name]).json_schema()}
        for name in _VARIABLE.findall(rule.rule)
    ]


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Every field of a request except its photos, as query parameters."""
    fields = _object(model)["properties"]
    return [
        {"name": name, "in": "query", "schema": schema, "description": schema.pop("description", "")}
        for name, schema in fields.items()
        if name != "image"
    ]


def _bodies(photos: type[BaseModel], *others: type[BaseModel]) -> dict[str, Any]:
    """Media type → schema of the request body. Photos are bytes in multipart, and base64 in JSON and forms."""
    listed = _object(photos)["properties"]["image"]
    note = {"description": f"Base64 or a data URL. {listed['description']}"}
    in_json = {"anyOf": [_BASE64, {**listed, "items": _BASE64}]} | note
    return {
        "multipart/form-data": {"schema": _object(photos)},
        "application/json": {"schema": {"anyOf": [_object(photos, image=in_json), *map(_object, others)]}},
        "application/x-www-form-urlencoded": {"schema": _object(photos, image=_BASE64 | note)},
        # No schema: JSON schema has no type for bytes.
        **{media_type: {} for media_type in IMAGE_TYPES},
    }


def _object(model: type[BaseModel], **changed: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a request, with ``changed`` properties replaced. It omits null as a value, because null means
    the same as an absent field."""
    schema = model.model_json_schema()
    for field in schema["properties"].values():
        del field["title"]
        if field.get("default", ...) is None:
            del field["default"]
        for choice in field.pop("anyOf", []):
            field.update(choice if choice["type"] != "null" else {})
    properties = schema["properties"] | changed
    return {"type": "object", "properties": properties, "required": schema["required"]}


def _success(description: str, operation: Operation, settings: Settings) -> dict[str, Any]:
    models = [_ref(answer) for answer in operation.answers if not isinstance(answer, str)]
    content: dict[str, Any] = {media_type: {} for media_type in operation.answers if isinstance(media_type, str)}
    if models:
        content["application/json"] = {"schema": models[0] if len(models) == 1 else {"anyOf": models}}
    if AnalysisAnswer in operation.answers:
        content["application/json"]["example"] = _example(settings)
    return {"description": description, "headers": _headers(200), "content": content}


def _failure(status: int, other: type[BaseModel] | None) -> dict[str, Any]:
    codes = {code for number, code in STATUS.values() if number == status}
    codes |= {code for number, (code, _) in HTTP_FAILURES.items() if number == status}
    example = Failure(status, min(codes), "A sentence that says what to do.", {})
    error = _ref(ErrorAnswer)
    content = {
        "schema": {"anyOf": [error, _ref(other)]} if other else error,
        "example": error_body(example, "0af7651916cd43dd8448eb211c80319c"),
    }
    return {
        "description": f"{HTTPStatus(status).phrase}. Codes: {', '.join(f'`{code}`' for code in sorted(codes))}.",
        "headers": _headers(status),
        "content": {"application/json": content},
    }


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _SCHEMAS + model.__name__}


def _headers(status: int) -> dict[str, Any]:
    names = ["X-Request-ID", *([_STATUS_HEADERS[status]] if status in _STATUS_HEADERS else [])]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _example(settings: Settings) -> dict[str, Any]:
    """The mock answer to one photo of 640 × 480 pixels, with a fixed time and id."""
    photo = Photo(np.zeros((480, 640, 3), np.uint8), 640, 480, "JPEG")
    analysis = MockAnalyzer().analyze(CaseRequest(photos=(photo,), k=1), Deadline(60))
    answer = render_analysis(analysis, {"total": 0.0}, cosmetic=settings.cosmetic_mode, mock=True)
    return answer.model_dump(mode="json") | {
        "analysis_id": "3f2b8a52-4e0b-4c53-9d25-6a1f0c6f7d11",
        "timestamp": "2026-01-01T00:00:00.000+00:00",
    }

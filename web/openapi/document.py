"""Puts the document together."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from flask import Flask
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from web import __version__
from web.answers import DISCLAIMER
from web.openapi import inputs, responses
from web.openapi.operations import OPERATIONS, TAGS, Operation, paragraphs
from web.services import Services

#: where an application keeps its document
_KEY = "dermserve-openapi"
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of DERMSERVE_API_KEYS."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key in another header."},
}
_ABOUT = (
    f"{DISCLAIMER}\n\nA field of an answer that is not required may be absent, which means null. "
    "A key is needed only if `/api/label` says so in `limits.key_required`."
)
#: errors of every operation, and of those that check the caller's key and rate. A service without keys has the latter
#: too, so that a client made from its document works with a service that has keys.
_ALWAYS, _OF_CALLERS = (405, 500), (401, 429)


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of ``app``. It is built once and shared, so do not change it."""
    if _KEY not in app.extensions:
        app.extensions[_KEY] = _build(app, app.extensions["dermserve"])
    found: dict[str, Any] = app.extensions[_KEY]
    return found


def resolve(described: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The part of the document ``described`` that ``node`` refers to; ``node`` itself if it is not a reference."""
    if "$ref" not in node:
        return node
    kind, name = node["$ref"].removeprefix("#/components/").split("/")
    found: dict[str, Any] = described["components"][kind][name]
    return found


def _build(app: Flask, services: Services) -> dict[str, Any]:
    views = ((rule, app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules())
    declared = [(rule, view, OPERATIONS[view]) for rule, view in views if view in OPERATIONS]
    given = inputs.Inputs(operation.request for _, _, operation in declared if operation.request)
    models = dict.fromkeys(model for _, _, operation in declared for model in operation.models)
    _, answers = models_json_schema(
        [(model, "serialization") for model in models], ref_template=inputs.SCHEMAS + "{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DermServe",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": {
            inputs.address(rule): {_method(rule): _operation(rule, view, operation, given, services)}
            for rule, view, operation in declared
        },
        "components": {
            "schemas": answers["$defs"] | given.schemas,
            "parameters": inputs.HEADERS,
            "requestBodies": given.bodies(),
            "responses": responses.shared(),
            "headers": responses.HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


def _operation(
    rule: Rule, view: Callable[..., Any], operation: Operation, given: inputs.Inputs, services: Services
) -> dict[str, Any]:
    summary, _, rest = (inspect.getdoc(view) or "").partition("\n")
    request = operation.request
    headers = {
        "Accept-Language": operation.translated,
        "If-None-Match": operation.cacheable,
        "X-Request-Timeout": rule.endpoint.startswith("api."),
        "X-Request-ID": True,
    }
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": summary.removesuffix("."),
        "parameters": [
            *inputs.path_parameters(rule, view),
            *(given.query(request) if request else ()),
            *({"$ref": f"#/components/parameters/{header}"} for header, is_read in headers.items() if is_read),
        ],
    }
    if text := paragraphs(inspect.getdoc(request) if request else None, rest):
        described["description"] = text
    if request:
        described["requestBody"] = {"$ref": f"#/components/requestBodies/{request.__name__}"}
    guarded = _method(rule) == "post"
    if guarded and services.settings.api_keys:
        described["security"] = [{scheme: []} for scheme in _SECURITY]
    statuses = {*_ALWAYS, *operation.failures, *(_OF_CALLERS if guarded else ())}
    described["responses"] = {
        "200": responses.success(summary, operation, services),
        **({"304": {"$ref": "#/components/responses/NotModified"}} if operation.cacheable else {}),
        **{str(status): responses.failure(status, operation) for status in sorted(statuses)},
    }
    return described


def _method(rule: Rule) -> str:
    return "post" if "POST" in (rule.methods or ()) else "get"

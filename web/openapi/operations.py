"""Each address and what it answers."""

from __future__ import annotations

from typing import Any

from settings import Settings
from web import catalogue_schemas as catalogue
from web import schemas
from web.openapi.example import analysis_example
from web.openapi.fields import IMAGE_TYPES, case_fields, form_body, json_body, multipart_body
from web.openapi.profiles import profile_answers
from web.openapi.responses import failures, json_success, success

_TIMEOUT = {"$ref": "#/components/parameters/X-Request-Timeout"}
_REQUEST_ID = {"$ref": "#/components/parameters/X-Request-ID"}

PARAMETERS = {
    "X-Request-Timeout": {
        "name": "X-Request-Timeout",
        "in": "header",
        "description": "Seconds after which the answer is of no use any more; never more than the service's own.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "A name for the request: letters, digits, `.`, `_`, `:` and `-`. Any other is replaced.",
        "schema": {"type": "string", "maxLength": 128},
    },
}


def paths(settings: Settings) -> dict[str, Any]:
    """Every documented address."""
    return {
        "/api/analyze/skin": {"post": _analysis(settings)},
        "/api/cases/{case_id}/{number}": {"get": _thumbnail()},
        "/api/models": _get("models", "Models, cards, licences, digests", catalogue.ModelsAnswer),
        "/api/conditions": _get("conditions", "Conditions that may be named", catalogue.ConditionsAnswer),
        "/api/measures": _get("measures", "What may be measured on a photo", catalogue.MeasuresAnswer),
        "/api/label": _get("label", "Intended use, out of scope, limits", catalogue.LabelAnswer),
        "/api/openapi.json": _get_other("openapi", "This document", {"application/json": {"schema": _OBJECT}}),
        "/api/docs": _get_other("docs", "This document as a page", {"text/html": {}}),
        "/health": _get("health", "Is the process alive?", catalogue.LiveAnswer),
        "/health/ready": _get("ready", "Can the instance analyse?", catalogue.ReadyAnswer, 503),
        "/metrics": _get_other("metrics", "Counts, in Prometheus' text format", {"text/plain": {}}, 404, 503),
    }


_OBJECT = {"type": "object"}


def _analysis(settings: Settings) -> dict[str, Any]:
    query = [
        {"name": name, "in": "query", "schema": schema, "description": schema.pop("description", "")}
        for name, schema in case_fields()["properties"].items()
    ]
    answers = json_success(
        "The analysis, in the shape that was asked for; or what the self-test found.",
        schemas.AnalysisAnswer,
        *profile_answers(),
        schemas.CapabilityAnswer,
        example=analysis_example(settings),
    )
    keys = {401} if settings.api_keys else set()
    limits = {429} if settings.api_keys or settings.rate_limit else set()
    refusals = failures(*(400, 408, 413, 415, 422, 503, 504), *keys, *limits, also={503: schemas.CapabilityAnswer})
    operation: dict[str, Any] = {
        "operationId": "analyze_skin",
        "summary": "One case in, one analysis out",
        "description": "One to three photos of one case, as a form, as JSON or as the raw bytes of one photo. "
        "The bytes decide where the content type says something else. "
        "Fields that are empty, `null` or `undefined` are not given. "
        "The body may be compressed: `Content-Encoding: gzip` or `deflate`.",
        "parameters": [*query, _TIMEOUT, _REQUEST_ID],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": multipart_body()},
                "application/json": {"schema": json_body()},
                "application/x-www-form-urlencoded": {"schema": form_body()},
                # No schema: a type would be that of JSON, and these are bytes.
                **{media_type: {} for media_type in IMAGE_TYPES},
            },
        },
        "responses": answers | refusals,
    }
    if settings.api_keys:
        operation["security"] = [{"bearer": []}, {"key": []}]
    return operation


def _thumbnail() -> dict[str, Any]:
    def of(name: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "in": "path", "required": True, "schema": schema}

    return {
        "operationId": "thumbnail",
        "summary": "A small picture of a case in the index",
        "parameters": [
            of("case_id", {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_-]+$"}),
            of("number", {"type": "integer", "minimum": 0, "maximum": 99}),
            _TIMEOUT,
            _REQUEST_ID,
        ],
        "responses": success("The picture.", {"image/webp": {}}) | failures(400, 404, 503, 504),
    }


def _get(name: str, summary: str, model: type, *statuses: int) -> dict[str, Any]:
    return {"get": _plain(name, summary, json_success(f"{summary}.", model), *statuses)}


def _get_other(name: str, summary: str, content: dict[str, Any], *statuses: int) -> dict[str, Any]:
    return {"get": _plain(name, summary, success(f"{summary}.", content), *statuses)}


def _plain(name: str, summary: str, answer: dict[str, Any], *statuses: int) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [_REQUEST_ID],
        "responses": answer | failures(*statuses),
    }

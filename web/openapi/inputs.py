"""What a client sends, for the document: parameters, and the bodies of requests with photos.

The models of requests say what the service reads; a body has one schema for each of its media types.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, get_type_hints

import cv2
import numpy as np
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from web.language import LANGUAGES

#: media types of bodies that are one photo
IMAGE_TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"),
    *("image/heic", "image/heif", "image/avif", "application/dicom"),
    *("application/octet-stream", "binary/octet-stream"),
)
SCHEMAS = "#/components/schemas/"
HEADERS = {
    "Accept-Language": {
        "name": "Accept-Language",
        "in": "header",
        "description": f"The language of texts for people, one of {', '.join(LANGUAGES)}. By default en.",
        "schema": {"type": "string"},
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of an answer that the client has. If it is still current, the status is 304.",
        "schema": {"type": "string"},
    },
    "X-Request-Timeout": {
        "name": "X-Request-Timeout",
        "in": "header",
        "description": "Time limit of the client in seconds, above 0. The service's own limit still applies.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "An id for the request: letters, digits, `.`, `_`, `:` and `-`. Any other value is replaced.",
        "schema": {"type": "string", "maxLength": 128},
    },
}

_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_BASE64 = {"type": "string", "format": "byte", "contentEncoding": "base64", "minLength": 1}
_BYTES = {"type": "string", "format": "binary"}
#: generated clients know this type of bytes, but not those of photos
_ANY_BYTES = "application/octet-stream"
_MEDIA_TYPES = {
    "multipart/form-data": "Multipart",
    "application/json": "Json",
    "application/x-www-form-urlencoded": "Form",
}
_EXAMPLE_SIDE = 64
_EXAMPLE_COLOUR = (142, 170, 214)  # BGR


class Inputs:
    """The parameters and bodies of all operations. ``schemas`` are the component schemas that they refer to."""

    def __init__(self, requests: Iterable[type[BaseModel]]) -> None:
        models = list(dict.fromkeys(requests))
        _, made = models_json_schema([(one, "validation") for one in models], ref_template=SCHEMAS + "{model}")
        definitions: dict[str, Any] = made.get("$defs", {})
        self._fields = {one: _fields(definitions.pop(one.__name__)) for one in models}
        self.schemas = definitions
        for one in models:
            self.schemas |= _body_schemas(one.__name__, *self._fields[one])

    def bodies(self) -> dict[str, Any]:
        """The component request bodies: model's name → body."""
        return {one.__name__: self._body(one) for one in self._fields}

    def query(self, request: type[BaseModel]) -> list[dict[str, Any]]:
        """Every field of a request except its photos, as query parameters."""
        fields, _ = self._fields[request]
        described = ((name, dict(schema)) for name, schema in fields.items() if not _is_photo(schema))
        return [
            {"name": name, "in": "query", "description": schema.pop("description"), "schema": schema}
            for name, schema in described
        ]

    def _body(self, request: type[BaseModel]) -> dict[str, Any]:
        fields, _ = self._fields[request]
        content: dict[str, Any] = {
            media_type: {"schema": {"$ref": SCHEMAS + request.__name__ + suffix}}
            for media_type, suffix in _MEDIA_TYPES.items()
        }
        photos = [name for name, schema in fields.items() if _is_photo(schema)]
        content["application/json"]["example"] = {**dict.fromkeys(photos, _example_photo()), **_examples(fields)}
        described = "The photos and what is known about them."
        if len(photos) == 1:
            content[_ANY_BYTES] = {"schema": _BYTES}
            others = ", ".join(f"`{one}`" for one in IMAGE_TYPES if one != _ANY_BYTES)
            described += (
                f" Or the bytes of one photo, as `{_ANY_BYTES}` or as {others}; the fields are then in the query."
            )
        return {"description": described, "required": True, "content": content}


def address(rule: Rule) -> str:
    """The path of a rule with its variables as the document writes them."""
    return _VARIABLE.sub(r"{\1}", rule.rule)


def path_parameters(rule: Rule, view: Callable[..., Any]) -> list[dict[str, Any]]:
    """The variables in the path of ``rule``."""
    types = get_type_hints(view, include_extras=True)
    described = ((name, TypeAdapter(types[name]).json_schema()) for name in _VARIABLE.findall(rule.rule))
    return [
        {"name": name, "in": "path", "required": True, "description": schema.pop("description"), "schema": schema}
        for name, schema in described
    ]


def _fields(schema: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """(field → schema, required fields) of a request's model. Null as a value is left out, because it means the same as
    an absent field."""
    for field in schema["properties"].values():
        field.pop("title", None)
        if field.get("default", ...) is None:
            del field["default"]
        for choice in field.pop("anyOf", []):
            field.update(choice if choice.get("type") != "null" else {})
    return schema["properties"], schema.get("required", [])


def _is_photo(schema: Mapping[str, Any]) -> bool:
    """Whether the schema of a field is that of a photo, or of a list of photos."""
    one: Mapping[str, Any] = schema.get("items", schema)
    return one.get("format") == "binary"


def _body_schemas(name: str, fields: dict[str, dict[str, Any]], required: list[str]) -> dict[str, Any]:
    """Component schemas of a body, by name. Photos are bytes in multipart, and base64 in JSON and in a form."""
    photos = {field: schema for field, schema in fields.items() if _is_photo(schema)}
    described = {field: f"Base64 or a data URL. {schema['description']}" for field, schema in photos.items()}
    in_form = {field: _BASE64 | {"description": described[field]} for field in photos}
    in_json = {
        field: {"anyOf": [_BASE64, {**_without_description(schema), "items": _BASE64}], "description": described[field]}
        if "items" in schema
        else in_form[field]
        for field, schema in photos.items()
    }
    changed: dict[str, dict[str, Any]] = {"Multipart": {}, "Json": in_json, "Form": in_form}
    return {
        name + suffix: {
            "type": "object",
            "description": f"The body of a request as `{media_type}`.",
            "properties": {field: _default_in_words(schema) for field, schema in (fields | changed[suffix]).items()},
            "required": required,
        }
        for media_type, suffix in _MEDIA_TYPES.items()
    }


def _default_in_words(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a field of a body. Generated clients send the default of a schema, which then has priority over the
    value in the query."""
    if "default" not in schema:
        return dict(schema)
    default = schema["default"] if isinstance(schema["default"], str) else json.dumps(schema["default"])
    described = f"{schema['description']} By default `{default}`."
    return {key: value for key, value in schema.items() if key != "default"} | {"description": described}


def _without_description(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "description"}


def _examples(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The first example of each field that has one."""
    return {name: schema["examples"][0] for name, schema in fields.items() if "examples" in schema}


@cache
def _example_photo() -> str:
    """The base64 of a PNG in one colour, so that the example can be sent."""
    _, data = cv2.imencode(".png", np.full((_EXAMPLE_SIDE, _EXAMPLE_SIDE, 3), _EXAMPLE_COLOUR, np.uint8))
    return base64.b64encode(data.tobytes()).decode("ascii")

"""The OpenAPI document as a page shows it: each operation with its fields, its answer and an example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from web.openapi import resolve

Schema = dict[str, Any]

#: a named list of words is shown where it is used if it has at most so many
_FEW_WORDS = 8
#: the object of every error
_ERROR = "ErrorAnswer"
_METHODS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True)
class Field:
    """A field of a request. ``place`` is "body", "path" or "query"."""

    name: str
    place: str
    required: bool
    schema: Schema
    description: str


@dataclass(frozen=True)
class Answer:
    """An answer to a request that succeeds. ``schema`` is empty for an answer that is not JSON. ``example`` is None if
    the document has none."""

    status: str
    media_type: str
    schema: Schema
    example: Any


@dataclass(frozen=True)
class Operation:
    """A method of an address. ``alike`` is an earlier operation that has the same fields; ``fields`` is then empty.
    ``body`` describes the forms of its body, ``statuses`` are those of its errors."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    needs_key: bool
    fields: tuple[Field, ...]
    alike: str | None
    body: str
    answers: tuple[Answer, ...]
    statuses: tuple[str, ...]

    @property
    def has_form(self) -> bool:
        """Whether its fields need a table."""
        return any(field.place != "path" for field in self.fields)

    @property
    def opens(self) -> bool:
        """Whether a browser shows the answer if it follows a link to the address."""
        return self.method == "GET" and "{" not in self.path


class Reference:
    """What a page shows of ``document``."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self.operations: Mapping[str, Operation] = {one.id: one for one in self._operations()}

    @property
    def objects(self) -> Mapping[str, Schema]:
        """Name → schema of each object and each long list of words in answers. Others are shown where they are used."""
        found: dict[str, Schema] = {}
        waiting: list[Any] = [answer.schema for one in self.operations.values() for answer in one.answers]
        waiting.append({"$ref": f"#/components/schemas/{_ERROR}"})
        while waiting:
            node = waiting.pop()
            if isinstance(node, list):
                waiting += node
            elif isinstance(node, dict):
                waiting += node.values()
                if "$ref" in node and (name := node["$ref"].split("/")[-1]) not in found:
                    found[name] = self._found(node)
                    waiting.append(found[name])
        return {name: found[name] for name in sorted(found) if not _is_short(found[name])}

    @property
    def common_statuses(self) -> list[str]:
        """The statuses of errors that every operation has."""
        first, *others = (one.statuses for one in self.operations.values())
        return [status for status in first if all(status in statuses for statuses in others)]

    @property
    def headers(self) -> list[Schema]:
        """The headers that requests may have."""
        return [one for one in self._document["components"].get("parameters", {}).values() if one["in"] == "header"]

    def inlined(self, schema: Schema) -> Schema:
        """What ``schema`` refers to if that is shown where it is used, or else ``schema``."""
        if len(schema.get("allOf", ())) == 1:
            schema = {**schema, **schema["allOf"][0]}
        if "$ref" not in schema:
            return schema
        target = self._found(schema)
        changed = {key: value for key, value in schema.items() if key != "$ref"}
        return {**target, **changed} if _is_short(target) else schema

    def meaning(self, schema: Schema) -> str:
        """What ``schema`` says about itself, and what its type says about its words if these are shown beside it."""
        types = (self._found(one) for one in (schema, *schema.get("anyOf", ())) if "$ref" in one)
        sentences = (one for short in types if _is_short(short) for one in short.get("description", "").split(". "))
        about_words = [f"{one.removesuffix('.')}." for one in sentences if "`" in one]
        return " ".join(filter(None, [schema.get("description", ""), *about_words]))

    def _found(self, schema: Schema) -> Schema:
        """``schema``, or what it refers to."""
        return resolve(self._document, schema)

    def _operations(self) -> Iterator[Operation]:
        earlier: dict[tuple[tuple[str, str], ...], str] = {}
        for path, item in self._document["paths"].items():
            for method in _METHODS:
                if method not in item:
                    continue
                operation = item[method]
                fields = tuple(self._fields(operation))
                key = tuple((one.name, one.place) for one in fields)
                yield self._operation(path, method, operation, fields, earlier.get(key) if len(fields) > 1 else None)
                earlier.setdefault(key, operation["operationId"])

    def _operation(
        self, path: str, method: str, operation: Schema, fields: tuple[Field, ...], alike: str | None
    ) -> Operation:
        responses = {status: self._found(one) for status, one in operation["responses"].items()}
        return Operation(
            id=operation["operationId"],
            method=method.upper(),
            path=path,
            summary=operation["summary"],
            description=operation.get("description", ""),
            needs_key=bool(operation.get("security")),
            fields=() if alike else fields,
            alike=alike,
            body=self._found(operation.get("requestBody", {})).get("description", ""),
            answers=tuple(
                Answer(status, media_type, media.get("schema", {}), self._example(media))
                for status, one in responses.items()
                if status.startswith("2")
                for media_type, media in one.get("content", {}).items()
            ),
            statuses=tuple(status for status in responses if status >= "400"),
        )

    def _fields(self, operation: Schema) -> Iterator[Field]:
        """The fields of the first form of the body, then those of the address that are not in it."""
        content = self._found(operation.get("requestBody", {})).get("content", {})
        forms = (self._found(media["schema"]) for media in content.values() if media.get("schema"))
        form = next((one for one in forms if one.get("properties")), {})
        for name, schema in form.get("properties", {}).items():
            yield Field(name, "body", name in form.get("required", ()), schema, self.meaning(schema))
        for given in operation.get("parameters", ()):
            one = self._found(given)
            if one["in"] != "header" and one["name"] not in form.get("properties", {}):
                yield Field(
                    one["name"], one["in"], one.get("required", False), one["schema"], one.get("description", "")
                )

    def _example(self, media: Schema) -> Any:
        """The first example of ``media``."""
        named = [self._found(one).get("value") for one in media.get("examples", {}).values()]
        return media.get("example", named[0] if named else None)


def _is_short(schema: Schema) -> bool:
    """Whether a named schema says enough where it is used."""
    return "properties" not in schema and len(schema.get("enum", ())) <= _FEW_WORDS

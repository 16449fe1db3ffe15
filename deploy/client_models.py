"""Makes the client's models of answers from the OpenAPI document: ``make client-models``.

The models are looser than the document, so that a client reads the answers of newer services: other words than those
of an enum are accepted, and numbers and texts outside of their limits too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datamodel_code_generator import generate
from datamodel_code_generator.enums import DataModelType, InputFileType
from datamodel_code_generator.format import Formatter, PythonVersion
from datamodel_code_generator.parser import LiteralType

from server.instance import Instance, this_process
from settings import Settings
from web.app import create_app
from web.mock import MockLoader
from web.openapi import document

MODELS = Path(__file__).resolve().parents[1] / "client" / "dermserve" / "models.py"
_HEADER = '''"""The answers of the service. Made from its OpenAPI document by ``make client-models``: do not edit."""
'''
#: those that the client calls
_OPERATIONS = frozenset(
    (
        *("analyze_skin", "compare_skin", "run_selftest"),
        *("list_measures", "list_conditions", "list_models", "get_label", "get_health", "get_readiness"),
    )
)
#: the import of the base class, which the generator cannot write as a relative one
_BASE = "from dermserve.answer import Answer"
#: what a client need not check, and a newer service may change
_LEFT_OUT = frozenset(
    (
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("pattern", "format", "contentEncoding", "minItems", "maxItems", "uniqueItems"),
        *("title", "example", "examples"),
    )
)


def models(described: Mapping[str, Any]) -> str:
    """The text of the module for the OpenAPI document ``described``."""
    schemas = described["components"]["schemas"]
    wanted: set[str] = set()
    for name in _answers(described):
        _reached(name, schemas, wanted)
    return _module({name: _loose(schemas[name]) for name in sorted(wanted)})


def main() -> None:
    """Write the module."""
    settings = Settings()
    app = create_app(settings, this_process(settings, Instance()), MockLoader())
    MODELS.write_text(models(document(app)), encoding="utf-8")


def _module(schemas: Mapping[str, Any]) -> str:
    """The module with a class for each of ``schemas``."""
    described = {"openapi": "3.1.0", "info": {"title": "", "version": ""}, "paths": {}}
    made = generate(
        json.dumps(described | {"components": {"schemas": schemas}}),
        input_file_type=InputFileType.OpenAPI,
        output_model_type=DataModelType.PydanticV2BaseModel,
        target_python_version=PythonVersion.PY_311,
        base_class="dermserve.answer.Answer",
        custom_file_header=_HEADER,
        formatters=[Formatter.RUFF_CHECK, Formatter.RUFF_FORMAT],
        settings_path=MODELS.parents[2],  # where the formatter's settings are
        disable_timestamp=True,
        keep_model_order=True,
        strict_nullable=True,
        enum_field_as_literal=LiteralType.All,
        use_annotated=True,
        use_field_description=True,
        use_schema_description=True,
        use_single_line_docstring=True,
        use_tuple_for_fixed_items=True,
        use_type_alias=True,
    )
    imports, end, classes = str(made).replace(f"{_BASE}\n", "").partition("\n\n\n")
    return f"{imports}\n\nfrom .answer import Answer{end}{classes}\n"


def _answers(described: Mapping[str, Any]) -> Iterator[str]:
    """The names of the schemas of the client's answers."""
    for operations in described["paths"].values():
        for operation in operations.values():
            if operation["operationId"] in _OPERATIONS:
                yield from _references(operation["responses"]["200"]["content"])


def _reached(name: str, schemas: Mapping[str, Any], found: set[str]) -> set[str]:
    """``found`` with the schema ``name`` and all that it refers to."""
    if name not in found:
        found.add(name)
        for other in _references(schemas[name]):
            _reached(other, schemas, found)
    return found


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.rpartition("/")[2]
        for part in schema.values():
            yield from _references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _loose(schema: Any) -> Any:
    """``schema`` without limits, and with any text beside the words of an enum."""
    if not isinstance(schema, dict):  # true or false
        return schema
    kept = {key: value for key, value in schema.items() if key not in _LEFT_OUT}
    if kept.get("additionalProperties") is False:
        del kept["additionalProperties"]
    if "properties" in kept:
        kept["properties"] = {name: _loose(one) for name, one in kept["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in kept:
            kept[key] = _loose(kept[key])
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in kept:
            kept[key] = [_loose(one) for one in kept[key]]
    if "prefixItems" in kept:  # a tuple keeps its length
        kept["minItems"] = kept["maxItems"] = len(kept["prefixItems"])
    words = [word for word in kept.get("enum", [kept.get("const")]) if isinstance(word, str)]
    return _with_any_text(kept, words) if words else kept


def _with_any_text(schema: Mapping[str, Any], words: list[str]) -> dict[str, Any]:
    """The schema of an enum that accepts other words, too, and null where ``schema`` does."""
    rest = {key: value for key, value in schema.items() if key not in {"enum", "const", "type", "anyOf"}}
    null = [{"type": "null"}] if None in schema.get("enum", ()) else []
    return {**rest, "anyOf": [{"type": "string", "enum": words}, {"type": "string"}, *null]}


if __name__ == "__main__":
    main()

"""How a setting is declared, and how it is told of: its environment variable, what it may be, and what was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo


class SettingsError(ValueError):
    """One line for each setting that cannot be used."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def of(name: str, default: Any, meaning: str, allowed: str = "", within: tuple[int, int] | None = None) -> Any:
    """A setting that is read from the environment variable ``name``; ``allowed`` says what it may be, in words."""
    limits: dict[str, Any] = {"ge": within[0], "le": within[1]} if within else {}
    if allowed:
        limits["json_schema_extra"] = {"allowed": allowed}
    return Field(default, validation_alias=name, description=meaning, **limits)


def allowed_values(field: FieldInfo) -> str:
    """What a setting may be, in words."""
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["allowed"])
    if get_origin(field.annotation) is Literal:
        return " or ".join(str(choice) for choice in get_args(field.annotation))
    if field.annotation is bool:
        return "true or false"
    low = next(limit.ge for limit in field.metadata if isinstance(limit, Ge))
    high = next(limit.le for limit in field.metadata if isinstance(limit, Le))
    return f"a whole number from {low} to {high}"


def error_lines(error: ValidationError, fields: Mapping[str, FieldInfo]) -> list[str]:
    """A line for each problem. ``fields`` are the model's, by name; the value of a secret is not shown."""
    known = {str(field.validation_alias): field for field in fields.values()} | dict(fields)
    lines = []
    for problem in error.errors():
        if not problem["loc"]:
            lines += str(problem["ctx"]["error"]).splitlines()
            continue
        field = known[str(problem["loc"][0])]
        value = "(not shown)" if _is_secret(field) else problem["input"]
        lines.append(f"{field.validation_alias}={value}: allowed is {allowed_values(field)}.")
    return lines


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))

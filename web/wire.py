"""What all models of answers share: which of their fields an answer has, and how its numbers are rounded.

A field that may be null is left out where it is null, except in full detail: to a client, absent means null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

Detail = Literal["summary", "standard", "full"]
SUMMARY: Detail = "summary"
STANDARD: Detail = "standard"
FULL: Detail = "full"
#: from the shortest answer to the longest
_LEVELS = get_args(Detail)
#: significant digits of an uncertainty, and of a value without one
_DIGITS_OF_UNCERTAINTY, _DIGITS = 2, 4


@dataclass(frozen=True)
class From:
    """Marks a field that an answer has only in this detail or a higher one."""

    detail: Detail


@dataclass(frozen=True)
class Rounded:
    """Marks numbers that are rounded to ``decimals``, except in full detail."""

    decimals: int


@dataclass(frozen=True)
class RoundedBy:
    """Marks a number that is rounded to the second digit of its uncertainty, which is in the field ``uncertainty``."""

    uncertainty: str


@dataclass(frozen=True)
class Range:
    """The range of a number, for its schema. It is not checked: an answer is never refused for it."""

    lowest: float | None = None
    highest: float | None = None

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        for choice in schema.get("anyOf", [schema]):
            if choice.get("type") in ("number", "integer"):
                limits = {"minimum": self.lowest, "maximum": self.highest}
                choice.update({name: limit for name, limit in limits.items() if limit is not None})
        return schema


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _milliseconds(number: float | None) -> float | None:
    return None if number is None else round(number, 1)


#: null if the value was not measured, or is NaN or infinite
Number = Annotated[float | None, AfterValidator(_finite)]
#: a probability or a share, 0–1
Share = Annotated[float, Range(0, 1), Rounded(3)]
MaybeShare = Annotated[Number, Range(0, 1), Rounded(3)]
#: of 100
MaybePercent = Annotated[Number, Range(0, 100), RoundedBy("score_uncertainty")]
Count = Annotated[int, Range(lowest=0)]
Milliseconds = Annotated[Number, AfterValidator(_milliseconds), Range(lowest=0)]


def _optional(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Say in the ``schema`` of a model which of its fields an answer may leave out, and when."""
    always = []
    for name, field in model.model_fields.items():
        described = schema["properties"][name]
        nullable = _is_nullable(field)
        described.pop("default", None)  # generated types take a field with a default for one that is always there
        needed = _detail_of(field)
        if needed != SUMMARY:
            words = "Only with `detail=full`." if needed == FULL else "Not with `detail=summary`."
            described["description"] = f"{described.get('description', '')} {words}".lstrip()
        if needed == SUMMARY and not (nullable and issubclass(model, Wire) and model.omits_nulls):
            always.append(name)
    schema["required"] = always


class Wire(BaseModel):
    """Base of every answer. The texts below its fields are their descriptions in the OpenAPI document."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        from_attributes=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
        json_schema_extra=_optional,
    )
    #: whether null fields are left out
    omits_nulls: ClassVar[bool] = True


def payload(answer: BaseModel, detail: Detail = STANDARD) -> dict[str, Any]:
    """The fields of ``answer`` in this ``detail``, as values for JSON."""
    level, omits_nulls = _LEVELS.index(detail), detail != FULL and getattr(answer, "omits_nulls", False)
    given: dict[str, Any] = {}
    for name, lowest, rounding in _marks(type(answer)):
        value = getattr(answer, name)
        if lowest > level or (value is None and omits_nulls):
            continue
        given[name] = _shown(value, detail, _decimals(rounding, answer, value) if detail != FULL else None)
    return given


@cache
def _marks(model: type[BaseModel]) -> tuple[tuple[str, int, Rounded | RoundedBy | None], ...]:
    """Of each field of ``model``: its name, the lowest level that has it, and how its numbers are rounded."""
    return tuple(
        (
            name,
            _LEVELS.index(_detail_of(field)),
            next((mark for mark in field.metadata if isinstance(mark, Rounded | RoundedBy)), None),
        )
        for name, field in model.model_fields.items()
    )


def _shown(value: Any, detail: Detail, decimals: int | None) -> Any:
    """``value`` for JSON. All floats in it are rounded to ``decimals``, if these are given."""
    if isinstance(value, BaseModel):
        return payload(value, detail)
    if isinstance(value, Mapping):
        return {key: _shown(one, detail, decimals) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(one, detail, decimals) for one in value]
    return round(value, decimals) if isinstance(value, float) and decimals is not None else value


def _decimals(rounding: Rounded | RoundedBy | None, answer: BaseModel, value: Any) -> int | None:
    """The decimals to which the numbers in a field are rounded; None if they are not."""
    if isinstance(rounding, Rounded):
        return rounding.decimals
    if rounding is None or value is None:
        return None
    uncertainty = getattr(answer, rounding.uncertainty)
    return _digits(uncertainty, _DIGITS_OF_UNCERTAINTY) if uncertainty else _digits(value, _DIGITS)


def _digits(number: float, significant: int) -> int:
    """The decimals with which ``number`` has this many significant digits."""
    return significant - 1 - math.floor(math.log10(abs(number))) if number else 0


def _is_nullable(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def _detail_of(field: FieldInfo) -> Detail:
    """The lowest detail in which an answer has a field."""
    return next((mark.detail for mark in field.metadata if isinstance(mark, From)), SUMMARY)

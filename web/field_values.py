"""Validators that read the value of a request field from a client's text or JSON value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator

from web.field_names import spelled

_LONGEST_VALUE = 100
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_CODES = re.compile(r"(\d{1,3})[ ,;]+(\d{1,3})[ ,;]+(\d{1,3})")


def _number(value: object) -> object:
    """A number, or the number in a text. Raises ValueError for a bool, which pydantic would accept as a number."""
    if isinstance(value, bool):
        raise ValueError("not a number")
    return float(value) if isinstance(value, str) else value


def one_of(meanings: Mapping[str, str | None], schema: Any = str) -> PlainValidator:
    """A validator that accepts a word in any case and with any separators, and returns its meaning. ``schema`` is the
    type that the OpenAPI document shows."""
    known = {spelled(word): meaning for word, meaning in meanings.items()}

    def meaning_of(word: object) -> str | None:
        if not isinstance(word, str) or spelled(word) not in known:
            raise ValueError("not one of the words")
        return known[spelled(word)]

    return PlainValidator(meaning_of, json_schema_input_type=schema)


def _colour(value: object) -> tuple[int, int, int]:
    """The sRGB codes 0–255 of a colour: "#b4b2ad", "180,178,173", or a list of three whole numbers."""
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)[:_LONGEST_VALUE].strip()
    if code := _HEX.fullmatch(text):
        red, green, blue = bytes.fromhex(code[1])
    elif codes := _CODES.fullmatch(text):
        red, green, blue = (int(one) for one in codes.groups())
    else:
        raise ValueError("not a colour")
    if max(red, green, blue) > 255:
        raise ValueError("not a colour")
    return red, green, blue


def _date(value: object) -> date:
    """The day of an ISO 8601 date or date and time."""
    if not isinstance(value, str):
        raise ValueError("not a date")
    return datetime.fromisoformat(value[:_LONGEST_VALUE].strip()).date()


#: the validator of a colour
COLOUR = PlainValidator(_colour, json_schema_input_type=str)
#: the validator of a date that a client sends as text
DAY = PlainValidator(_date, json_schema_input_type=Annotated[str, Field(json_schema_extra={"format": "date"})])
#: marks a number that a client may send as text
NUMBER = BeforeValidator(_number)

"""The words beside the photos: checked, and turned into what the analysis works with."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from ml.models.patient import CANONICAL_SITES, canonical
from ml.values import Patient
from web.errors import BadFieldError, ImpossibleValueError
from web.profiles import OWN, PROFILES

DEFAULT_K = 5
MAX_K = 50
MAX_AGE = 120
MAX_PIXELS_PER_MM = 1000
STANDARD, FULL = DETAILS = ("standard", "full")
_LONGEST_NAME = 100
_WORD_STARTS = re.compile(r"(?<=[a-z])(?=[A-Z])")

_SEXES = {
    "female": "female",
    "f": "female",
    "woman": "female",
    "male": "male",
    "m": "male",
    "man": "male",
    "unknown": None,
    "other": None,
    "unspecified": None,
    "other_or_unspecified": None,
}
_MODALITIES = {
    "dermatoscopic": "dermatoscopic",
    "dermoscopic": "dermatoscopic",
    "dermatoscopy": "dermatoscopic",
    "dermoscopy": "dermatoscopic",
    "close_up": "close_up",
    "close-up": "close_up",
    "clinical": "close_up",
    "lesion_close_up": "lesion_close_up",
    "lesion-close-up": "lesion_close_up",
    "lesion": "lesion_close_up",
    "face": "face",
    "selfie": "face",
}
#: every word that is understood
SEXES, MODALITIES = tuple(_SEXES), tuple(_MODALITIES)
#: what clients send for a value that they do not have: the text of JavaScript's, Python's or Swift's word for nothing
_NOTHING = {"", "undefined", "null", "none", "nil"}
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
#: objects that clients put the person's data into; what stands beside them wins
_NESTED = ("user_parameters", "user_demographics", "demographics")


def flatten(fields: Mapping[str, object]) -> dict[str, object]:
    """``fields`` and, below them, what their demographics hold (an object, or JSON text of one).

    Raises BadFieldError if that text is not a JSON object.
    """
    said = present(fields)
    nested: dict[str, object] = {}
    for name in _NESTED:
        nested |= present(_object(name, said.get(name)))
    return nested | said


def present(fields: Mapping[str, object]) -> dict[str, object]:
    """``fields`` without those that say nothing, by their plain names: `bodySite` and `Body-Site` are `body_site`."""
    return {_plain(name): value for name, value in fields.items() if not is_missing(value)}


def is_missing(value: object) -> bool:
    """Whether a field says nothing: null, empty, or the text of a word for nothing, such as "undefined"."""
    return value is None or (isinstance(value, str) and value.strip()[:16].lower() in _NOTHING)


def read_patient(fields: Mapping[str, object]) -> Patient:
    """Age in years (0–120), sex and body site. Raises ImpossibleValueError, which names the field."""
    return Patient(
        age=_age(fields.get("age")),
        sex=_sex(_either(fields, "sex", "gender")),
        body_site=_site(fields.get("body_site")),
    )


def read_k(fields: Mapping[str, object]) -> int:
    """How many similar cases are wanted, 1–50. Raises BadFieldError."""
    value = fields.get("k")
    if is_missing(value):
        return DEFAULT_K
    number = _number(value)
    if number is None or not number.is_integer() or not 1 <= number <= MAX_K:
        raise BadFieldError(f"k must be a whole number from 1 to {MAX_K}.", field="k")
    return int(number)


def read_modality(fields: Mapping[str, object]) -> str | None:
    """What kind of photo the client says it is. Raises BadFieldError for a kind that is not known."""
    value = fields.get("modality")
    if is_missing(value):
        return None
    known = _MODALITIES.get(value.strip().lower().replace(" ", "_")) if isinstance(value, str) else None
    if known is None:
        allowed = sorted(set(_MODALITIES.values()))
        raise BadFieldError(f"modality must be one of {', '.join(allowed)}.", field="modality", allowed=allowed)
    return known


def read_scale(fields: Mapping[str, object]) -> float | None:
    """Pixels of the photo as sent for each millimetre of skin. Raises BadFieldError unless above 0, up to 1,000."""
    value = fields.get("pixels_per_mm")
    if is_missing(value):
        return None
    scale = _number(value)
    if scale is None or not 0 < scale <= MAX_PIXELS_PER_MM:
        raise BadFieldError(f"pixels_per_mm must be above 0 and at most {MAX_PIXELS_PER_MM}.", field="pixels_per_mm")
    return scale


def read_explain(fields: Mapping[str, object]) -> bool:
    """Whether overlays are wanted. Raises BadFieldError for anything but a yes or a no."""
    value = fields.get("explain")
    if is_missing(value):
        return False
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        raise BadFieldError("explain must be true or false.", field="explain", allowed=["true", "false"])
    return word in _TRUE


def read_detail(fields: Mapping[str, object]) -> str:
    """How much the answer holds, one of DETAILS. Raises BadFieldError for anything else."""
    value = fields.get("detail")
    detail = STANDARD if is_missing(value) else str(value).strip().lower()
    if detail not in DETAILS:
        raise BadFieldError(f"detail must be one of {', '.join(DETAILS)}.", field="detail", allowed=list(DETAILS))
    return detail


def read_profile(fields: Mapping[str, object]) -> str:
    """The name of the shape that the answer is wanted in. Raises BadFieldError for one that is not known."""
    value = fields.get("profile")
    name = OWN if is_missing(value) else str(value).strip().lower()
    if name not in PROFILES:
        allowed = sorted(PROFILES)
        raise BadFieldError(f"profile must be one of {', '.join(allowed)}.", field="profile", allowed=allowed)
    return name


def _plain(name: str) -> str:
    words = _WORD_STARTS.sub("_", name[:_LONGEST_NAME])
    return words.strip().lower().replace("-", "_").replace(" ", "_")


def _age(value: object) -> float | None:
    if is_missing(value):
        return None
    age = _number(value)
    if age is None or not 0 <= age <= MAX_AGE:
        raise ImpossibleValueError(f"age must be a number of years from 0 to {MAX_AGE}.", field="age")
    return age


def _sex(value: object) -> str | None:
    if is_missing(value):
        return None
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in _SEXES:
        raise ImpossibleValueError(
            "sex must be female, male or unknown.", field="sex", allowed=["female", "male", "unknown"]
        )
    return _SEXES[word]


def _site(value: object) -> str | None:
    if is_missing(value):
        return None
    site = canonical(value) if isinstance(value, str) else None
    if site is None:
        raise ImpossibleValueError(
            f"body_site is not known. Use one of {', '.join(CANONICAL_SITES)}, or a usual word for a part of the body.",
            field="body_site",
            allowed=list(CANONICAL_SITES),
        )
    return site


def _number(value: object) -> float | None:
    """A finite number, from a number or its text; None for anything else (true and false are no numbers)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _either(fields: Mapping[str, object], name: str, alias: str) -> object:
    value = fields.get(name)
    return fields.get(alias) if is_missing(value) else value


def _object(name: str, value: object) -> Mapping[str, object]:
    if is_missing(value):
        return {}
    if isinstance(value, str):
        value = _json(name, value)
    if not isinstance(value, dict):
        raise BadFieldError(f"{name} must be a JSON object.", field=name)
    return value


def _json(name: str, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFieldError(f"{name} is not valid JSON.", field=name) from error

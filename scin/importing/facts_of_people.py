"""Age, sex, body site and skin type as other datasets write them → as SCIN's tables write them."""

from __future__ import annotations

import math
import re

#: SCIN's body parts → words of other datasets that mean this part or something in it
_BODY_PARTS = {
    "head_or_neck": "head neck head-neck face scalp ear nose lip cheek chin forehead eye head-or-neck",
    "arm": "arm upper-extremity forearm elbow wrist upper-arm",
    "palm": "palm",
    "back_of_hand": "back-of-hand dorsum-of-hand",
    "torso_front": "abdomen chest anterior-torso torso-front",
    "torso_back": "back posterior-torso torso-back upper-back lower-back",
    "genitalia_or_groin": "genital genitalia groin genitalia-or-groin",
    "buttocks": "buttock buttocks",
    "leg": "leg lower-extremity thigh knee calf shin",
    "foot_top_or_side": "foot-top-or-side dorsum-of-foot",
    "foot_sole": "sole foot-sole",
}
#: words for a part that SCIN has no column for, or for which it has several
_OTHER = "trunk torso lateral-torso hand foot finger toe acral palms-soles oral-genital other"
_PART_OF = {word: part for part, words in (*_BODY_PARTS.items(), ("other", _OTHER)) for word in words.split()}
#: SCIN has adults only
_ADULT, _END_OF_FIRST_GROUP, _OLDEST_GROUP, _OLDEST = 18, 30, 80, 120
_SEXES = {"female": "FEMALE", "f": "FEMALE", "male": "MALE", "m": "MALE"}
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6}


def age_group(age: str) -> str:
    """SCIN's group of an age in years, such as AGE_30_TO_39. "" if it is unknown or below 18."""
    years = _number(age)
    if years is None or not _ADULT <= years <= _OLDEST:
        return ""
    if years >= _OLDEST_GROUP:
        return "AGE_80_OR_ABOVE"
    if years < _END_OF_FIRST_GROUP:
        return "AGE_18_TO_29"
    decade = int(years) // 10 * 10
    return f"AGE_{decade}_TO_{decade + 9}"


def sex(text: str) -> str:
    """FEMALE or MALE; "" if it is unknown."""
    return _SEXES.get(text.strip().lower(), "")


def body_part(text: str) -> str:
    """The end of SCIN's column, such as head_or_neck. "other" for a part without a column of its own, "" if unknown."""
    return _PART_OF.get("-".join(re.findall(r"[a-z]+", text.lower())), "")


def skin_type(text: str) -> str:
    """A Fitzpatrick type, such as FST3; "" if it is unknown."""
    words = text.strip().lower().removeprefix("fst")
    number = _ROMAN.get(words) or _number(words)
    return f"FST{int(number)}" if number is not None and number in range(1, 7) else ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None

"""Pydantic models that validate a request for an analysis. They are also the schemas of the OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)

from ml.models.patient import BODY_SITES, CANONICAL_SITES
from ml.skin.reference import REFLECTANCE, Reference
from ml.values import Patient
from web.body import Readable
from web.errors import BadFieldError, ImpossibleValueError, NoImageError, RequestError, TooManyImagesError
from web.parts import FORMS, Part, is_missing, read_parts
from web.photos import fields_of, photos_of
from web.profiles import OWN, PROFILES

DEFAULT_K = 5
MAX_K = 50
MAX_AGE = 120
MAX_IMAGES = 3
MAX_PIXELS_PER_MM = 1000
MIN_REFLECTANCE = 0.02
STANDARD, FULL, THOROUGH = "standard", "full", "thorough"

#: word that a client may send → its meaning
_SEXES: Mapping[str, str | None] = {
    **dict.fromkeys(("female", "f", "woman"), "female"),
    **dict.fromkeys(("male", "m", "man"), "male"),
    **dict.fromkeys(("unknown", "other", "unspecified", "other_or_unspecified")),
}
_MODALITIES = {
    **dict.fromkeys(("close_up", "clinical"), "close_up"),
    **dict.fromkeys(("dermatoscopic", "dermoscopic", "dermatoscopy", "dermoscopy"), "dermatoscopic"),
    **dict.fromkeys(("face", "selfie"), "face"),
    **dict.fromkeys(("lesion_close_up", "lesion"), "lesion_close_up"),
}
_REFERENCES = {
    **dict.fromkeys(("colour_checker", "color_checker"), "colour_checker"),
    **dict.fromkeys(("grey_card", "gray_card"), "grey_card"),
}
_DETAILS = {name: name for name in (STANDARD, FULL, THOROUGH)}
_PROFILES = {name: name for name in sorted(PROFILES)}


@dataclass(frozen=True)
class Advice:
    """Marks a field: the ``message`` of the error for a bad value, the ``allowed`` values, if they are a few words, and
    whether the field is ``of_the_person``. Its bad values then get 422, those of other fields 400."""

    message: str
    allowed: Sequence[str] = ()
    of_the_person: bool = False


def _words(name: str, meanings: Mapping[str, str]) -> Advice:
    """The advice for a field whose values are the meanings of words."""
    allowed = tuple(dict.fromkeys(meanings.values()))
    return Advice(f"{name} must be one of {', '.join(allowed)}.", allowed)


#: objects that may contain the person's data; a field of the same name outside them has priority
_NESTED = ("user_parameters", "user_demographics", "demographics")

_LONGEST_NAME = 100
_WORD_STARTS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\s/_-]+")
#: limits of the field names that an error repeats: how many, the length of each, and characters that are replaced
_MOST_NAMES = 20
_LONGEST_REPEATED = 40
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_CODES = re.compile(r"(\d{1,3})[ ,;]+(\d{1,3})[ ,;]+(\d{1,3})")
_NOT_REPEATED = re.compile(r"[^\w.\[\]-]")


def _spelled(word: str) -> str:
    """`Close-up` → `close_up`."""
    return _SEPARATORS.sub("_", word[:_LONGEST_NAME].strip().lower())


def _number(value: object) -> object:
    """A number, or the number in a text. Raises ValueError for a bool, which pydantic would accept as a number."""
    if isinstance(value, bool):
        raise ValueError("not a number")
    return float(value) if isinstance(value, str) else value


def _one_of(meanings: Mapping[str, str | None]) -> PlainValidator:
    """A validator that accepts a word in any case and with any separators, and returns its meaning."""
    known = {_spelled(word): meaning for word, meaning in meanings.items()}

    def meaning_of(word: object) -> str | None:
        if not isinstance(word, str) or _spelled(word) not in known:
            raise ValueError("not one of the words")
        return known[_spelled(word)]

    return PlainValidator(meaning_of, json_schema_input_type=Literal[tuple(sorted(meanings))])


def _colour(value: object) -> tuple[int, int, int]:
    """The sRGB codes 0–255 of a colour: "#b4b2ad", "180,178,173", or a list of three whole numbers."""
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)[:_LONGEST_NAME].strip()
    if code := _HEX.fullmatch(text):
        red, green, blue = bytes.fromhex(code[1])
    elif codes := _CODES.fullmatch(text):
        red, green, blue = (int(one) for one in codes.groups())
    else:
        raise ValueError("not a colour")
    if max(red, green, blue) > 255:
        raise ValueError("not a colour")
    return red, green, blue


#: marks a number that a client may send as text
Text = BeforeValidator(_number)
#: path parameters of a thumbnail
CaseId = Annotated[str, Field(min_length=1, pattern="^[A-Za-z0-9_-]+$")]
PhotoNumber = Annotated[int, Field(ge=0, le=99)]


class _Fields(BaseModel):
    """Base of the requests. Unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, loc_by_alias=False, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, fields: Mapping[str, object]) -> dict[str, object]:
        """The fields that have a value, including those in the objects of _NESTED, under their normalised names."""
        given = present(fields.items())
        nested = [_object(name, given[name]) for name in _NESTED if name in given]
        return present(chain(*(one.items() for one in nested), given.items()))


class CapabilityRequest(_Fields):
    """A request for the self-test."""

    test: Annotated[Literal["ml_capability"], Advice("The only test is 'ml_capability'.", ("ml_capability",))]


class AnalyzeRequest(_Fields):
    """One to three photos of one case, as a form, as JSON or as the raw bytes of one photo. If the content type and the
    bytes do not match, the bytes decide. All fields except the photos may also be in the query; a value in the body has
    priority. Fields that are empty, `null` or `undefined` count as absent. The body may be compressed with
    `Content-Encoding: gzip` or `deflate`."""

    images: tuple[bytes, ...] = Field(
        validation_alias="image",
        min_length=1,
        max_length=MAX_IMAGES,
        description="Up to three photos of one case. Other field names, such as `photo`, are accepted.",
    )
    age: Annotated[
        Annotated[float, Field(ge=0, le=MAX_AGE), Text] | None,
        Advice(f"age must be a number of years from 0 to {MAX_AGE}.", of_the_person=True),
    ] = Field(default=None, description="Years.")
    sex: Annotated[
        str | None,
        _one_of(_SEXES),
        Advice("sex must be female, male or unknown.", ("female", "male", "unknown"), of_the_person=True),
    ] = Field(default=None, validation_alias=AliasChoices("sex", "gender"))
    body_site: Annotated[
        str | None,
        _one_of(BODY_SITES),
        Advice(
            f"body_site is not known. Use one of {', '.join(CANONICAL_SITES)}, or a common name of a body part.",
            CANONICAL_SITES,
            of_the_person=True,
        ),
    ] = Field(default=None, description="The part of the body. Case, spaces and underscores do not matter.")
    k: Annotated[int, Field(ge=1, le=MAX_K), Text, Advice(f"k must be a whole number from 1 to {MAX_K}.")] = Field(
        default=DEFAULT_K, description="Number of similar cases in the answer."
    )
    modality: Annotated[str | None, _one_of(_MODALITIES), _words("modality", _MODALITIES)] = Field(
        default=None, description="The kind of photo."
    )
    pixels_per_mm: Annotated[
        Annotated[float, Field(gt=0, le=MAX_PIXELS_PER_MM), Text] | None,
        Advice(f"pixels_per_mm must be above 0 and at most {MAX_PIXELS_PER_MM}."),
    ] = Field(default=None, description="Pixels per millimetre of skin, in the photo as sent.")
    reference: Annotated[str | None, _one_of(_REFERENCES), _words("reference", _REFERENCES)] = Field(
        default=None,
        description="A colour reference beside the skin in the first photo: a 24-patch colour checker, or a grey card "
        "(18%, or see `reflectance`). It makes the skin tone a measurement.",
    )
    white_point: Annotated[
        tuple[int, int, int] | None,
        PlainValidator(_colour, json_schema_input_type=str),
        Advice("white_point must be a colour such as #b4b2ad or 180,178,173."),
    ] = Field(
        default=None,
        description="In place of `reference`: the mean colour that a white or grey reference beside the skin has in "
        "the first photo, as `#rrggbb` or `r,g,b`. It must not be overexposed.",
    )
    reflectance: Annotated[
        Annotated[float, Field(ge=MIN_REFLECTANCE, le=1), Text] | None,
        Advice(f"reflectance must be from {MIN_REFLECTANCE} to 1."),
    ] = Field(
        default=None,
        description="The reflectance of the white point (default 0.9, white) or of the grey card (default 0.18).",
    )
    explain: Annotated[bool, Advice("explain must be true or false.", ("true", "false"))] = Field(
        default=False, description="Adds overlays. Heat maps make the analysis several times as long."
    )
    detail: Annotated[str, _one_of(_DETAILS), _words("detail", _DETAILS)] = Field(
        default=STANDARD,
        description="`full` adds the raw output of the lesion model, measures that are not in every answer, and what "
        "the skin tone's colours would mean in neutral light. `thorough` also averages the dermatoscopic model over "
        "mirror images of each photo, which takes four times its time.",
    )
    profile: Annotated[str, _one_of(_PROFILES), _words("profile", _PROFILES)] = Field(
        default=OWN, description="The format of the answer."
    )

    @property
    def full(self) -> bool:
        """Whether the answer has what only ``detail=full`` adds."""
        return self.detail != STANDARD

    @property
    def thorough(self) -> bool:
        """Whether models may take several times as long for a better answer."""
        return self.detail == THOROUGH

    @property
    def patient(self) -> Patient:
        return Patient(age=self.age, sex=self.sex, body_site=self.body_site)

    @property
    def stated_reference(self) -> Reference | None:
        """The colour reference in the first photo. A white point has priority, because it needs no search."""
        if self.white_point is not None:
            return Reference("white_point", self.reflectance or REFLECTANCE["white_point"], self.white_point)
        if self.reference == "colour_checker":
            return Reference("colour_checker")
        return Reference("grey_card", self.reflectance or REFLECTANCE["grey_card"]) if self.reference else None


def parse(body: Readable, content_type: str, query: Mapping[str, str]) -> AnalyzeRequest | CapabilityRequest:
    """Read and validate a request. ``query`` holds the parameters of the URL.

    Raises a RequestError that says what is wrong and what to send instead.
    """
    parts = read_parts(body, content_type)
    fields = present(chain(query.items(), fields_of(parts).items()))
    try:
        if "test" in fields:
            return CapabilityRequest.model_validate(fields)
        return AnalyzeRequest.model_validate(fields | {"image": _photos(parts)})
    except ValidationError as error:
        wanted = CapabilityRequest if "test" in fields else AnalyzeRequest
        raise _refusal(wanted, error) from None  # the text of ``error`` may quote the request


def present(fields: Iterable[tuple[str, object]]) -> dict[str, object]:
    """The fields that have a value, under normalised names: `bodySite` and `Body-Site` become `body_site`. If a name
    occurs more than once, the last value counts."""
    return {
        _spelled(_WORD_STARTS.sub("_", name[:_LONGEST_NAME])): value.strip() if isinstance(value, str) else value
        for name, value in fields
        if not is_missing(value)
    }


def _object(name: str, value: object) -> Mapping[str, object]:
    """The object in a field. The field may be an object or its JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise BadFieldError(f"{name} is not valid JSON.", field=name) from error
    if not isinstance(value, dict):
        raise BadFieldError(f"{name} must be a JSON object.", field=name)
    return value


def _photos(parts: Sequence[Part]) -> list[bytes]:
    photos = photos_of(parts)
    if not photos:
        names = _names(parts)
        arrived = f"Its fields are: {', '.join(names)}." if names else "It has no fields."
        raise NoImageError(f"The request contains no photo. {arrived} {FORMS}", fields=names)
    if len(photos) > MAX_IMAGES:
        raise TooManyImagesError(
            f"The request contains {len(photos)} photos, but one case has at most {MAX_IMAGES}. Send one case per "
            "request.",
            max_images=MAX_IMAGES,
        )
    return photos


def _names(parts: Sequence[Part]) -> list[str]:
    """The names of the first parts, without duplicates, cut and cleaned so that an error may repeat them."""
    names = (_NOT_REPEATED.sub("?", part.name[:_LONGEST_REPEATED]) for part in parts[:_MOST_NAMES])
    return list(dict.fromkeys(name for name in names if name))


def _refusal(wanted: type[_Fields], error: ValidationError) -> RequestError:
    """The error for the first field of ``wanted`` that is not valid."""
    name = str(error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"][0])
    advice = next(one for one in wanted.model_fields[name].metadata if isinstance(one, Advice))
    allowed = {"allowed": list(advice.allowed)} if advice.allowed else {}
    kind = ImpossibleValueError if advice.of_the_person else BadFieldError
    return kind(advice.message, field=name, **allowed)

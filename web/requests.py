"""Pydantic models that validate requests for analyses and comparisons. They are also the schemas of the OpenAPI
document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from ml.models.patient import BODY_SITES, CANONICAL_SITES
from ml.skin.reference import REFLECTANCE, Reference
from ml.values import Patient
from web.answers.words import StatedModality
from web.body import Readable
from web.errors import BadFieldError, ImpossibleValueError, NoImageError, RequestError, TooManyImagesError
from web.field_names import notes_on_unknown, present, repeatable
from web.field_values import COLOUR, DAY, NUMBER, one_of
from web.parts import FORMS, Part, is_missing, read_parts
from web.photos import fields_of, is_name_of, is_photo_name, names_of, photo_named, photos_of
from web.profiles import OWN, PROFILES
from web.vocabulary import (
    DETAILS,
    MODALITIES,
    MODALITY_WORDS,
    REFERENCES,
    SEXES,
    THOROUGH,
    Advice,
    BodySite,
    RequestedDetail,
    Sex,
    StatedReference,
    advice,
)
from web.wire import FULL, STANDARD, Detail

DEFAULT_K = 5
MAX_K = 50
MAX_AGE = 120
MAX_IMAGES = 3
MIN_PIXELS_PER_MM, MAX_PIXELS_PER_MM = 0.001, 1000
MIN_REFLECTANCE = 0.02
_PROFILES = {name: name for name in sorted({OWN, *PROFILES})}

#: ends the message about a missing photo of a comparison
_PAIR = "Send two photos, 'before' and 'after': as files in multipart/form-data, or as base64 or data URLs in JSON."

#: objects that may contain the person's data; a field of the same name outside them has priority
_NESTED = ("user_parameters", "user_demographics", "demographics")

#: path parameters of a thumbnail
CaseId = Annotated[
    str, Field(min_length=1, pattern="^[A-Za-z0-9_-]+$", description="`case_id` of one of `similar_cases`.")
]
PhotoNumber = Annotated[int, Field(ge=0, le=99, description="Number of the case's photo, from 0.")]


class _Fields(BaseModel):
    """Base of the requests. Fields that are not known are ignored, and ``notes`` name them."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, loc_by_alias=False, hide_input_in_errors=True)
    _notes: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, fields: Mapping[str, object]) -> dict[str, object]:
        """The fields that have a value, including those in the objects of _NESTED, under their normalised names."""
        given = present(fields.items())
        nested = [_object(name, given[name]) for name in _NESTED if name in given]
        return present(chain(*(one.items() for one in nested), given.items()))

    @property
    def notes(self) -> tuple[str, ...]:
        """For people: which fields of the request are not known."""
        return self._notes

    def noting(self, names: Iterable[str]) -> Self:
        """The same request, with notes about those ``names`` of its fields that are not known."""
        aliases = [field.validation_alias or name for name, field in type(self).model_fields.items()]
        known = chain.from_iterable(one.choices if isinstance(one, AliasChoices) else [one] for one in aliases)
        self._notes = tuple(notes_on_unknown(names, [*map(str, known), *_NESTED]))
        return self


class CapabilityRequest(_Fields):
    """A request for the self-test."""

    test: Annotated[Literal["ml_capability"], Advice("The only test is 'ml_capability'.", ("ml_capability",))]


class AnalyzeRequest(_Fields):
    """One to three photos of one case, as a form, as JSON or as the raw bytes of one photo. If the content type and the
    bytes do not match, the bytes decide. All fields except the photos may also be in the query; a value in the body has
    priority. Fields that are empty, `null` or `undefined` count as absent. Fields that are not known are ignored, and
    `notes` in the answer names them. The body may be compressed with `Content-Encoding: gzip` or `deflate`."""

    images: tuple[bytes, ...] = Field(
        validation_alias="image",
        min_length=1,
        max_length=MAX_IMAGES,
        description="One to three photos of one case. Other field names, such as `photo`, are read too.",
    )
    age: Annotated[
        Annotated[float, Field(ge=0, le=MAX_AGE), NUMBER] | None,
        Advice(f"age must be a number of years from 0 to {MAX_AGE}.", of_the_person=True),
    ] = Field(default=None, description=f"Age of the person in years, 0 to {MAX_AGE}.", examples=[54])
    sex: Annotated[
        str | None,
        one_of(SEXES, Sex),
        Advice("sex must be female, male or unknown.", ("female", "male", "unknown"), of_the_person=True),
    ] = Field(
        default=None,
        validation_alias=AliasChoices("sex", "gender"),
        description="Sex of the person. The name `gender` is read too.",
        examples=["female"],
    )
    body_site: Annotated[
        str | None,
        one_of(BODY_SITES, BodySite),
        Advice(
            f"body_site is not known. Use one of {', '.join(CANONICAL_SITES)}, or a common name of a body part.",
            CANONICAL_SITES,
            of_the_person=True,
        ),
    ] = Field(default=None, description="The part of the body that the photos show.", examples=["arm"])
    k: Annotated[int, Field(ge=1, le=MAX_K), NUMBER, Advice(f"k must be a whole number from 1 to {MAX_K}.")] = Field(
        default=DEFAULT_K, description=f"Number of similar cases in the answer, 1 to {MAX_K}."
    )
    modality: Annotated[str | None, one_of(MODALITIES, StatedModality), advice("modality", MODALITIES)] = Field(
        default=None,
        description=f"The kind of photo. {MODALITY_WORDS} Without it, a DICOM file of the class "
        "Dermoscopic Photography is `dermatoscopic`, and of other photos the service recognises the kind.",
        examples=["lesion_close_up"],
    )
    pixels_per_mm: Annotated[
        Annotated[float, Field(ge=MIN_PIXELS_PER_MM, le=MAX_PIXELS_PER_MM), NUMBER] | None,
        Advice(f"pixels_per_mm must be a number from {MIN_PIXELS_PER_MM} to {MAX_PIXELS_PER_MM}."),
    ] = Field(
        default=None,
        description="Pixels per millimetre of skin in the photo as sent, "
        f"{MIN_PIXELS_PER_MM} to {MAX_PIXELS_PER_MM}. "
        "Without it, a DICOM file's PixelSpacing counts. With either, lengths are in the answer.",
    )
    reference: Annotated[str | None, one_of(REFERENCES, StatedReference), advice("reference", REFERENCES)] = Field(
        default=None,
        description="A colour reference beside the skin in the first photo. It makes the skin tone a measurement. The "
        "reflectance of a grey card is 0.18, or that in `reflectance`.",
    )
    white_point: Annotated[
        tuple[int, int, int] | None,
        COLOUR,
        Advice("white_point must be a colour such as #b4b2ad or 180,178,173."),
    ] = Field(
        default=None,
        description="In place of `reference`: the mean colour that a white or grey reference beside the skin has in "
        "the first photo, as `#rrggbb` or as `r,g,b` of 0 to 255 each (sRGB). It must not be overexposed.",
    )
    reflectance: Annotated[
        Annotated[float, Field(ge=MIN_REFLECTANCE, le=1), NUMBER] | None,
        Advice(f"reflectance must be from {MIN_REFLECTANCE} to 1."),
    ] = Field(
        default=None,
        description=f"The reflectance, {MIN_REFLECTANCE} to 1, of the white point (by default 0.9, white) or of the "
        "grey card (by default 0.18).",
    )
    outline: Annotated[bool, Advice("outline must be true or false.", ("true", "false"))] = Field(
        default=False,
        description="Adds overlays of what was found: the skin, and the zones of a face or the outline of a lesion.",
    )
    explain: Annotated[bool, Advice("explain must be true or false.", ("true", "false"))] = Field(
        default=False, description="Adds all overlays. Heat maps make the analysis several times as long."
    )
    detail: Annotated[str, one_of(DETAILS, RequestedDetail), advice("detail", DETAILS)] = Field(
        default=STANDARD, description="How much the answer says."
    )
    #: not in the document: each profile has an operation of its own, with one kind of answer
    profile: SkipJsonSchema[Annotated[str, one_of(_PROFILES), advice("profile", _PROFILES)]] = OWN

    @property
    def answer_detail(self) -> Detail:
        """Which fields the answer has."""
        return next((detail for detail in get_args(Detail) if detail == self.detail), FULL)

    @property
    def full(self) -> bool:
        """Whether the analysis includes what only ``detail=full`` shows."""
        return self.answer_detail == FULL

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


class CompareRequest(_Fields):
    """Two photos of the same skin, as a form or as JSON. Fields other than the photos may also be in the query; a value
    in the body has priority. Names and missing values are read as for an analysis."""

    before: bytes = Field(description="The first photo. Send the original file, not a smaller copy.")
    after: bytes = Field(description="The second photo of the same skin. Send the original file too.")
    before_date: Annotated[date | None, DAY, Advice("before_date must be a date such as 2026-01-31.")] = Field(
        default=None, description="The day of the first photo, as an ISO 8601 date.", examples=["2026-01-31"]
    )
    after_date: Annotated[date | None, DAY, Advice("after_date must be a date such as 2026-01-31.")] = Field(
        default=None,
        description="The day of the second photo, as an ISO 8601 date. It must not be before that of the first photo.",
        examples=["2026-03-31"],
    )
    modality: Annotated[str | None, one_of(MODALITIES, StatedModality), advice("modality", MODALITIES)] = Field(
        default=None,
        description=f"The kind of both photos. {MODALITY_WORDS} Without it, the service recognises the kind.",
    )
    explain: Annotated[bool, Advice("explain must be true or false.", ("true", "false"))] = Field(
        default=False, description="Adds `overlays`: both photos in the frame of the first one."
    )
    confirmed: Annotated[bool, Advice("confirmed must be true or false.", ("true", "false"))] = Field(
        default=False,
        description="You know that both photos show the same place. Then they are compared even if that is unsure.",
    )

    @property
    def interval_days(self) -> int | None:
        """Days from the first photo to the second; None if a date is missing."""
        if self.before_date is None or self.after_date is None:
            return None
        return (self.after_date - self.before_date).days


def parse_comparison(body: Readable, content_type: str, query: Mapping[str, str]) -> CompareRequest:
    """Read and validate a request for a comparison. ``query`` holds the parameters of the URL.

    Raises a RequestError that says what is wrong and what to send instead.
    """
    parts = read_parts(body, content_type)
    photos = {name: photo_named(parts, name) for name in ("before", "after")}
    if missing := [name for name, photo in photos.items() if photo is None]:
        listed = " and no ".join(f"photo '{name}'" for name in missing)
        raise NoImageError(f"The request has no {listed}. {_PAIR}", fields=repeatable(part.name for part in parts))
    fields = present(chain(query.items(), fields_of(parts).items()))
    try:
        wanted = CompareRequest.model_validate(fields | photos)
    except ValidationError as error:
        raise _refusal(CompareRequest, error) from None  # the text of ``error`` may quote the request
    if wanted.interval_days is not None and wanted.interval_days < 0:
        raise ImpossibleValueError(
            "before_date is later than after_date. Exchange the photos with their dates, or correct a date.",
            field="after_date",
        )
    names = _names(query, parts, fields)
    return wanted.noting(one for one in names if not any(is_name_of(one, name) for name in photos))


def parse(body: Readable, content_type: str, query: Mapping[str, str]) -> AnalyzeRequest | CapabilityRequest:
    """Read and validate a request. ``query`` holds the parameters of the URL.

    Raises a RequestError that says what is wrong and what to send instead.
    """
    parts = read_parts(body, content_type)
    fields = present(chain(query.items(), fields_of(parts).items()))
    try:
        if "test" in fields:
            return CapabilityRequest.model_validate(fields)
        photos = _photos(parts)
        wanted = AnalyzeRequest.model_validate(fields | {"image": [photo for _, photo in photos]})
    except ValidationError as error:
        model = CapabilityRequest if "test" in fields else AnalyzeRequest
        raise _refusal(model, error) from None  # the text of ``error`` may quote the request
    sources = {name for name, _ in photos}
    names = _names(query, parts, fields)
    return wanted.noting(one for one in names if one not in sources and not is_photo_name(one))


def _names(query: Mapping[str, str], parts: Sequence[Part], fields: Mapping[str, object]) -> Iterator[str]:
    """The names of everything in a request that has a value. ``fields`` are its normalised fields."""
    yield from (name for name, value in query.items() if not is_missing(value))
    yield from names_of(parts)
    for name in _NESTED:
        if name in fields:
            yield from (inner for inner, value in _object(name, fields[name]).items() if not is_missing(value))


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


def _photos(parts: Sequence[Part]) -> list[tuple[str, bytes]]:
    """The photos of a case, each with the name of its part."""
    photos = photos_of(parts)
    if not photos:
        names = repeatable(part.name for part in parts)
        arrived = f"Its fields are: {', '.join(names)}." if names else "It has no fields."
        raise NoImageError(f"The request contains no photo. {arrived} {FORMS}", fields=names)
    if len(photos) > MAX_IMAGES:
        raise TooManyImagesError(
            f"The request contains {len(photos)} photos, but one case has at most {MAX_IMAGES}. Send one case per "
            "request.",
            max_images=MAX_IMAGES,
        )
    return photos


def _refusal(wanted: type[_Fields], error: ValidationError) -> RequestError:
    """The error for the first field of ``wanted`` that is not valid."""
    name = str(error.errors(include_url=False, include_context=False, include_input=False)[0]["loc"][0])
    advice = next(one for one in wanted.model_fields[name].metadata if isinstance(one, Advice))
    allowed = {"allowed": list(advice.allowed)} if advice.allowed else {}
    kind = ImpossibleValueError if advice.of_the_person else BadFieldError
    return kind(advice.message, field=name, **allowed)

"""The documented fields of an analysis. Their limits are the constants that web.fields and web.parsing check with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ml.models.patient import BODY_SITES
from web.fields import DEFAULT_K, DETAILS, MAX_AGE, MAX_K, MAX_PIXELS_PER_MM, MODALITIES, SEXES, STANDARD
from web.parsing import CAPABILITY_TEST, MAX_IMAGES
from web.profiles import OWN, PROFILES

#: media types whose bodies are read as one photo
IMAGE_TYPES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/bmp",
    "image/tiff",
    "image/heic",
    "image/heif",
    "image/avif",
    "application/octet-stream",
    "binary/octet-stream",
)

_BASE64 = {"type": "string", "format": "byte", "contentEncoding": "base64", "minLength": 1}


def _words(*words: str) -> dict[str, Any]:
    return {"enum": sorted(words)}


class CaseFields(BaseModel):
    """What may be said of a case beside its photos. Each may stand in the body or in the query; the body wins."""

    model_config = ConfigDict(extra="allow")

    age: float | None = Field(default=None, ge=0, le=MAX_AGE, description="Years.")
    sex: str | None = Field(default=None, json_schema_extra=_words(*SEXES))
    body_site: str | None = Field(
        default=None,
        description="Where on the body. Case, spaces and underscores do not matter.",
        json_schema_extra=_words(*BODY_SITES),
    )
    k: int = Field(default=DEFAULT_K, ge=1, le=MAX_K, description="How many similar cases are wanted.")
    modality: str | None = Field(
        default=None, description="What kind of photo it is.", json_schema_extra=_words(*MODALITIES)
    )
    pixels_per_mm: float | None = Field(
        default=None,
        gt=0,
        le=MAX_PIXELS_PER_MM,
        description="Pixels of the photo as sent per millimetre of skin.",
    )
    explain: bool = Field(default=False, description="Overlays are wanted: heat maps take several times as long.")
    detail: str = Field(
        default=STANDARD,
        description="How much the answer holds: `full` adds the raw output of the lesion model.",
        json_schema_extra=_words(*DETAILS),
    )
    profile: str = Field(default=OWN, description="The shape of the answer.", json_schema_extra=_words(*PROFILES))


def json_body() -> dict[str, Any]:
    """The JSON object: photos as base64 text, or the word that asks for the self-test."""
    photos = {"anyOf": [_BASE64, {"type": "array", "items": _BASE64, "minItems": 1, "maxItems": MAX_IMAGES}]}
    fields = case_fields()
    fields["properties"]["image"] = photos | {
        "description": "Base64 or a data URL; up to three views of one case. Other names, such as `photo`, will do."
    }
    test = {"type": "object", "properties": {"test": {"const": CAPABILITY_TEST}}, "required": ["test"]}
    return {"anyOf": [fields | {"required": ["image"]}, test]}


def multipart_body() -> dict[str, Any]:
    """The form: photos as files."""
    photo = {"type": "string", "format": "binary"}
    fields = case_fields()
    fields["properties"]["image"] = {
        "type": "array",
        "items": photo,
        "minItems": 1,
        "maxItems": MAX_IMAGES,
        "description": "Up to three views of one case, as files or as base64. Other names, such as `photo`, will do.",
    }
    return fields | {"required": ["image"]}


def form_body() -> dict[str, Any]:
    """The form without files: one photo as base64 text."""
    fields = case_fields()
    fields["properties"]["image"] = _BASE64 | {"description": "Base64 or a data URL."}
    return fields | {"required": ["image"]}


def case_fields() -> dict[str, Any]:
    """The JSON schema of CaseFields, without what says nothing to a reader."""
    schema = CaseFields.model_json_schema()
    for field in schema["properties"].values():
        field.pop("title", None)
        if field.get("default", 0) is None:
            del field["default"]
            field.update(_without_null(field.pop("anyOf")))
    return {"type": "object", "properties": schema["properties"], "additionalProperties": True}


def _without_null(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """What a field may be where it is given: leaving it out is how nothing is said."""
    return next(choice for choice in choices if choice.get("type") != "null")

"""What an answer rests on: similar cases, the index, models and pictures."""

from __future__ import annotations

import base64
from typing import Annotated

from pydantic import AliasPath, BeforeValidator, Field

from web.answers.words import PhotoKind, RankingMethod
from web.wire import FULL, Count, From, MaybeShare, Range, Rounded, Wire


class Dermatologists(Wire):
    """The labels of a case."""

    count: Count | None = None
    """Number of dermatologists who labelled it; null if unknown."""
    agreement: MaybeShare = None
    """0–1: the share of them who named its leading condition; null if unknown."""


class FitzpatrickLabels(Wire):
    """Fitzpatrick types of a case, as the dataset gives them."""

    self_reported: str | None = None
    """By the person."""
    dermatologists: list[str] = Field(default=[])
    """By dermatologists."""


class MonkLabels(Wire):
    """Monk Skin Tones of a case, 1–10, by two groups of annotators."""

    india: Annotated[int, Range(1, 10)] | None = None
    """By annotators in India."""
    us: Annotated[int, Range(1, 10)] | None = None
    """By annotators in the United States."""


class SimilarCase(Wire):
    """A labelled case of the index that resembles the photo."""

    case_id: str
    """The case in the index."""
    similarity: Annotated[float, Range(-1, 1), Rounded(3)]
    """Cosine of the embeddings, −1 to 1."""
    demonstration: bool = False
    """True for a generated case, which shows no real person."""
    thumbnail: str | None = Field(default=None, validation_alias=AliasPath("thumbnails", 0))
    """Address of its first picture (WebP), below this service's."""
    thumbnails: Annotated[list[str], From(FULL)]
    """Addresses of all its pictures."""
    differential: Annotated[dict[str, float], Rounded(2)]
    """Condition → weight, 0–1; the weights sum to 1."""
    dermatologists: Dermatologists
    """Who labelled it."""
    fitzpatrick: Annotated[FitzpatrickLabels, From(FULL)]
    """Its Fitzpatrick types."""
    monk: Annotated[MonkLabels, From(FULL)]
    """Its Monk Skin Tones."""
    body_parts: list[str]
    """The parts of the body that it shows."""
    age_group: Annotated[str | None, From(FULL)]
    """The person's age group, as the dataset gives it."""


class Model(Wire):
    """A model that took part. `GET /api/models` has its card."""

    name: str
    """The model."""
    version: str
    """Its version."""
    framework: Annotated[str, From(FULL)]
    """The framework that it was trained in."""
    engine: Annotated[str, From(FULL)]
    """The library that ran it, and that library's version."""
    licence: Annotated[str, From(FULL)]
    """SPDX identifier."""


class Index(Wire):
    """The index of labelled cases that was searched."""

    name: str
    """The index."""
    dataset: str
    """The dataset that its cases are from."""
    synthetic: bool
    """True if its cases are generated. Then no disease is named from them."""
    cases: Count
    """Number of cases."""
    images: Annotated[Count, From(FULL)]
    """Number of pictures."""
    dimension: Annotated[Count, From(FULL)]
    """Length of an embedding."""
    built_at: Annotated[str, From(FULL)]
    """ISO 8601 time."""
    photo_kind: PhotoKind
    """The kind of all its photos."""
    method: RankingMethod
    """What ranks the conditions."""


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


class Overlay(Wire):
    """A transparent picture to draw over the first photo, which has the same aspect ratio."""

    name: str
    """What it shows, such as `skin_mask` or `lesion`."""
    region: str
    """Where: `skin`, `face`, `lesion` or `photo`."""
    media_type: str
    """Always `image/png`."""
    data_base64: Annotated[str, BeforeValidator(_base64)] = Field(validation_alias="data")
    """The picture as base64."""
    deletion_score: MaybeShare
    """Of a heat map, 0–1: how much more the score drops if the map's most important part is hidden than if the same
    shape is hidden elsewhere. 0 is no better than chance."""

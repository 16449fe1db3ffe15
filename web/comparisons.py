"""Pydantic models of the answer to a comparison, which are also the schemas of the OpenAPI document."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import BeforeValidator, Field
from typing_extensions import TypeAliasType

from ml.analysis.comparison import Comparison
from ml.skin.aligned import LESION_AREA, REDNESS_CONTRAST
from ml.skin.catalogue import CATALOGUE
from ml.values import RGB
from web import __version__
from web.answers import DISCLAIMER
from web.answers.photo import Modality, Quality, View
from web.answers.words import Change, Verdict, VerdictMethod, Words
from web.wire import MaybeShare, Milliseconds, Number, Range, RoundedBy, Wire

_JPEG_QUALITY = 88


def _data_uri(rgb: RGB) -> str:
    """A photo (H, W, 3) as the data URI of a JPEG."""
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


class ComparedPhoto(Wire):
    """One of the two photos."""

    image: View = Field(validation_alias="photo")
    """The photo as it arrived."""
    date: dt.date | None = None
    """The day that the request states."""
    quality: Quality
    """Whether it can be measured, and what is wrong with it."""
    modality: Modality
    """The kind of photo."""


class PlaceReason(Wire):
    """A reason."""

    code: str
    """For programs."""
    message: str
    """For people."""


class SamePlace(Wire):
    """Whether both photos show the same place of the same person."""

    verdict: Verdict
    """With `unsure`, measures are compared only if the request has `confirmed`."""
    confidence: MaybeShare
    """0–1: the share of such verdicts that were right on real photos; null if the verdict is unsure."""
    method: VerdictMethod
    """`registration` of the skin's texture, or `none`."""
    reasons: list[PlaceReason]
    """What speaks for or against it."""


ComparedName = TypeAliasType(
    "ComparedName",
    Annotated[str, Words((LESION_AREA, REDNESS_CONTRAST, *CATALOGUE), "A measure, or one that only two photos have.")],
)


class ComparedMeasure(Wire):
    """One measure in both photos."""

    code: ComparedName
    """The measure. `GET /api/measures` describes those that one photo has too."""
    label: str
    """The measure's name to show to people."""
    unit: str
    """`1` and `index` have no dimension; a `share` is 0–1."""
    region: str
    """Where it was measured."""
    direction: str
    """What a higher value means."""
    before: Annotated[Number, RoundedBy("uncertainty")]
    """The value in the first photo, in `unit`."""
    after: Annotated[Number, RoundedBy("uncertainty")]
    """The value in the second photo, in `unit`."""
    difference: Annotated[Number, RoundedBy("uncertainty")]
    """After less before, in `unit`; null if not comparable."""
    uncertainty: Annotated[Number, Range(lowest=0), RoundedBy("uncertainty")]
    """Two photos of the same, unchanged skin mostly differ by at most this, in `unit`; null if not comparable."""
    change: Change
    """Whether the difference is larger than the uncertainty."""
    reason: PlaceReason | None
    """Why it is not comparable."""


class ChangeSummary(Wire):
    """The answer for people, in sentences."""

    headline: str
    """What changed: one or two sentences."""
    next_step: str
    """What to do: one sentence."""


class AlignedPhotos(Wire):
    """Both photos in the frame of the first one, of equal size, as data URIs of JPEG photos."""

    before: Annotated[str, BeforeValidator(_data_uri)]
    """The first photo."""
    after: Annotated[str, BeforeValidator(_data_uri)]
    """The second photo; black where it does not show the frame."""


class ComparisonAnswer(Wire):
    """The answer for two photos of the same skin."""

    success: Literal[True] = True
    """Always true."""
    comparison_id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    """A random id of this answer."""
    timestamp: str = Field(default_factory=lambda: dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"))
    """ISO 8601 time of the answer."""
    version: str = __version__
    """The service's version."""
    mock: bool = False
    """True for a canned answer: nothing in it was measured on the photos."""
    before: ComparedPhoto
    """The first photo."""
    after: ComparedPhoto
    """The second photo."""
    interval_days: int | None
    """Days from the first date to the second; null if one was not stated."""
    same_place: SamePlace
    """Whether both photos show the same place."""
    measures: list[ComparedMeasure]
    """What was measured in both photos."""
    summary: ChangeSummary
    """What to read first: the answer in sentences."""
    overlays: AlignedPhotos | None = Field(validation_alias="aligned")
    """The photos to lay over each other; null unless the request has `explain` and they could be aligned."""
    notes: list[str]
    """For people: what was not done, and why."""
    timings_ms: dict[str, Milliseconds]
    """Duration of each step in milliseconds."""
    disclaimer: str = DISCLAIMER
    """Show this to users."""


def render_comparison(
    comparison: Comparison,
    timings_ms: Mapping[str, float],
    dates: tuple[dt.date | None, dt.date | None] = (None, None),
    *,
    mock: bool = False,
) -> ComparisonAnswer:
    """The answer for two photos. ``dates``: those that the request states. ``mock`` marks a canned answer."""
    answer = ComparisonAnswer.model_validate(replace(comparison, timings_ms=timings_ms))
    before, after = (
        photo.model_copy(update={"date": day}) for photo, day in zip((answer.before, answer.after), dates, strict=True)
    )
    return answer.model_copy(update={"before": before, "after": after, "mock": mock})

"""The frozen values of a comparison of two photos of the same skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ml.values import RGB, Measurement, Modality, Photo, Quality

#: whether two photos show the same place of the same person
Place = Literal["same", "unsure"]
#: how the place was compared: by registration of the skin's texture, or not at all
Method = Literal["registration", "none"]
Change = Literal["higher", "lower", "no_detectable_change", "not_comparable"]


@dataclass(frozen=True)
class PairRequest:
    """Two photos of the same skin.

    ``modality``: the kind of both photos that the client states (ml.analysis.routing.MODALITIES), or None.
    ``interval_days``: days from the first photo to the second, or None. ``explain``: whether to add the aligned photos.
    ``confirmed``: the client knows that both photos show the same place, so they are compared if that is unsure.
    """

    before: Photo
    after: Photo
    modality: str | None = None
    interval_days: int | None = None
    explain: bool = False
    confirmed: bool = False


@dataclass(frozen=True)
class Reason:
    """Why something cannot be compared. ``code`` is for programs, ``message`` for people."""

    code: str
    message: str


@dataclass(frozen=True)
class SamePlace:
    """Whether two photos show the same place. ``confidence``, 0–1, is that of the verdict: the share of verdicts at
    such evidence that were right on real photos; None if nothing was compared. ``reasons`` say what speaks for or
    against it."""

    verdict: Place
    confidence: float | None
    method: Method
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class ComparedMeasure:
    """One measure in two photos.

    ``before``, ``after``: the values in ``unit``; None if not measured. ``difference``: after less before.
    ``uncertainty``: two photos of the same, unchanged skin mostly differ by at most this much. Both are None if
    ``change`` is "not_comparable"; ``reason`` then says why. ``clinical``: it describes a lesion.
    """

    code: str
    label: str
    unit: str
    region: str
    direction: str
    before: float | None
    after: float | None
    difference: float | None
    uncertainty: float | None
    change: Change
    reason: Reason | None = None
    clinical: bool = False


@dataclass(frozen=True)
class ViewedPhoto:
    """One of the two photos: what it is, and all that was measured in it."""

    photo: Photo
    quality: Quality
    modality: Modality
    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True)
class ChangeSummary:
    """What a person should know first. ``headline``: one or two sentences. ``next_step``: one sentence."""

    headline: str
    next_step: str


@dataclass(frozen=True, eq=False)
class AlignedPhotos:
    """Both photos in one frame (H, W, 3), for a slider. Where ``after`` does not show the frame it is black."""

    before: RGB
    after: RGB


@dataclass(frozen=True)
class Comparison:
    """The whole answer for two photos, before it is rendered as JSON. ``interval_days``: days from the first date to
    the second; None if one of them was not stated."""

    before: ViewedPhoto
    after: ViewedPhoto
    same_place: SamePlace
    measures: tuple[ComparedMeasure, ...]
    summary: ChangeSummary
    interval_days: int | None = None
    aligned: AlignedPhotos | None = None
    notes: tuple[str, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)

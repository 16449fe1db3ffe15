"""The service's label: what it is for, what it is not for, and the limits that it is set to."""

from __future__ import annotations

from typing import Literal

from ml.imaging.limits import MAX_OTHER_PIXELS
from scin.manifest import Manifest
from settings import Settings
from web import __version__
from web.answers import DISCLAIMER, Index, Wire
from web.requests import MAX_AGE, MAX_IMAGES, MAX_K

INTENDED_USE = [
    "Research, education and software development with photos of human skin.",
    "Looking at labelled cases that resemble a photo, and at measurements of the skin in it.",
]
OUT_OF_SCOPE = [
    "A diagnosis, a triage or an all-clear for any person.",
    "A decision on treatment, or on whether to see a doctor.",
    "Photos of persons who have not agreed to it.",
    "Photos of anything but human skin.",
]
KNOWN_LIMITS = [
    "From the synthetic sample index no disease is named: its cases are generated.",
    "The lesion classifier was made from dermatoscopic photos of few skin tones, and is over-confident.",
    "Measures of colour depend on light and camera.",
]


class Limits(Wire):
    """What one request may hold, and how often one client may ask. ``rate_limit`` null: as often as there is room."""

    max_request_bytes: int
    max_pixels: int
    max_pixels_not_jpeg: int
    max_photos: int = MAX_IMAGES
    max_similar_cases: int = MAX_K
    max_age_years: int = MAX_AGE
    max_seconds: float
    rate_limit: str | None
    key_required: bool


class LabelAnswer(Wire):
    """What the service is for, what it is not for, and what it runs with."""

    success: Literal[True] = True
    name: str = "DermServe"
    version: str = __version__
    disclaimer: str = DISCLAIMER
    intended_use: list[str] = INTENDED_USE
    out_of_scope: list[str] = OUT_OF_SCOPE
    known_limits: list[str] = KNOWN_LIMITS
    limits: Limits
    cosmetic_mode: bool
    mock: bool
    index: Index | None
    attribution: dict[str, str]


def label_answer(settings: Settings, manifest: Manifest | None) -> LabelAnswer:
    """``manifest`` is the index's, None where there is none."""
    return LabelAnswer(
        limits=Limits(
            max_request_bytes=settings.max_upload_bytes,
            max_pixels=settings.max_pixels,
            max_pixels_not_jpeg=min(settings.max_pixels, MAX_OTHER_PIXELS),
            max_seconds=settings.deadline_s,
            rate_limit=settings.rate_limit or None,
            key_required=bool(settings.api_keys),
        ),
        cosmetic_mode=settings.cosmetic_mode,
        mock=settings.use_mock_services,
        index=Index.model_validate(manifest) if manifest else None,
        attribution=dict(manifest.attribution) if manifest else {},
    )

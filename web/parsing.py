"""Every accepted request form → one frozen AnalyzeRequest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ml.values import Patient
from web.body import Readable
from web.errors import BadFieldError, NoImageError, TooManyImagesError
from web.fields import (
    DEFAULT_K,
    STANDARD,
    flatten,
    present,
    read_detail,
    read_explain,
    read_k,
    read_modality,
    read_patient,
    read_profile,
    read_scale,
)
from web.parts import FORMS, Part, read_parts
from web.photos import fields_of, photos_of
from web.profiles import OWN

MAX_IMAGES = 3
CAPABILITY_TEST = "ml_capability"

#: what a refusal repeats of the names that arrived
_MOST_NAMES = 20
_LONGEST_NAME = 40
_NOT_OF_A_NAME = re.compile(r"[^\w.\[\]-]")


@dataclass(frozen=True)
class AnalyzeRequest:
    """One case: one to three photos as they were uploaded, or, with ``is_capability``, none. ``profile`` is one of
    web.profiles.PROFILES."""

    images: tuple[bytes, ...]
    patient: Patient = field(default_factory=Patient)
    k: int = DEFAULT_K
    modality: str | None = None
    pixels_per_mm: float | None = None
    explain: bool = False
    detail: str = STANDARD
    profile: str = OWN
    is_capability: bool = False


def parse(body: Readable, content_type: str, query: Mapping[str, str]) -> AnalyzeRequest:
    """Read ``body`` as its bytes and ``content_type`` suggest; ``query`` holds the address's parameters.

    Raises a RequestError that says what is wrong and what to send instead.
    """
    parts = read_parts(body, content_type)
    fields = flatten({**query, **present(fields_of(parts))})
    if _is_capability_test(fields):
        return AnalyzeRequest(images=(), is_capability=True)
    return AnalyzeRequest(
        images=_images(parts),
        patient=read_patient(fields),
        k=read_k(fields),
        modality=read_modality(fields),
        pixels_per_mm=read_scale(fields),
        explain=read_explain(fields),
        detail=read_detail(fields),
        profile=read_profile(fields),
    )


def _images(parts: Sequence[Part]) -> tuple[bytes, ...]:
    photos = photos_of(parts)
    if not photos:
        names = _names(parts)
        arrived = f"Its fields are: {', '.join(names)}." if names else "It has no fields."
        raise NoImageError(f"The request holds no photo. {arrived} {FORMS}", fields=names)
    if len(photos) > MAX_IMAGES:
        raise TooManyImagesError(
            f"The request holds {len(photos)} photos; one case has at most {MAX_IMAGES}. Send each case by itself.",
            max_images=MAX_IMAGES,
        )
    return tuple(photos)


def _names(parts: Sequence[Part]) -> list[str]:
    """The first names that arrived, each once and cut short, without characters that a name has no need of."""
    names = (_NOT_OF_A_NAME.sub("?", part.name[:_LONGEST_NAME]) for part in parts[:_MOST_NAMES])
    return list(dict.fromkeys(name for name in names if name))


def _is_capability_test(fields: Mapping[str, object]) -> bool:
    test = fields.get("test")
    if test is None:
        return False
    if test != CAPABILITY_TEST:
        raise BadFieldError(f"The only test is '{CAPABILITY_TEST}'.", field="test", allowed=[CAPABILITY_TEST])
    return True

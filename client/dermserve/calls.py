"""What each call sends, and the form of its answer. The clients for threads and for async code share all of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypedDict, runtime_checkable

from . import models
from .responses import Read


@runtime_checkable
class PhotoFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """The bytes from its position to its end."""
        ...


#: a path, the bytes of a file, or an open file
Photo = str | os.PathLike[str] | bytes | PhotoFile

Modality = Literal["face", "lesion_close_up", "close_up", "dermatoscopic"] | str
Detail = Literal["summary", "standard", "full", "thorough"] | str


class AnalysisFields(TypedDict, total=False):
    """What may be said of a photo, and what is wanted of its answer. None is the same as an absent field."""

    age: float | None
    sex: Literal["female", "male", "unknown"] | str | None
    body_site: str | None
    modality: Modality | None
    pixels_per_mm: float | None
    reference: Literal["colour_checker", "grey_card"] | str | None
    white_point: str | tuple[int, int, int] | None
    reflectance: float | None
    k: int | None
    outline: bool
    explain: bool
    detail: Detail | None


class ComparisonFields(TypedDict, total=False):
    """What may be said of two photos of the same skin. None is the same as an absent field."""

    before_date: date | str | None
    after_date: date | str | None
    modality: Modality | None
    explain: bool
    confirmed: bool


@dataclass(frozen=True)
class Call(Generic[Read]):
    """One request. ``form`` is the model of its answer, which may come with one of ``statuses``."""

    method: Literal["GET", "POST"]
    path: str
    form: type[Read]
    photos: tuple[tuple[str, Photo], ...] = ()
    fields: Mapping[str, object] = field(default_factory=dict)
    statuses: tuple[int, ...] = (200,)

    def content(self) -> dict[str, Any]:
        """Its body, as arguments of httpx. Reads the photos' files. File names are not sent. Raises OSError."""
        files = [(name, (f"photo-{n}", _bytes_of(photo))) for n, (name, photo) in enumerate(self.photos, start=1)]
        texts = {name: _text(value) for name, value in self.fields.items() if value is not None}
        return {"files": files, "data": texts} if files or texts else {}


def analysis(photos: Photo | Iterable[Photo], fields: Mapping[str, object]) -> Call[models.AnalysisAnswer]:
    """``photos``: one to three views of the same skin."""
    views = (photos,) if isinstance(photos, str | os.PathLike | bytes | PhotoFile) else tuple(photos)
    named = tuple(("image", view) for view in views)
    return Call("POST", "/api/analyze/skin", models.AnalysisAnswer, named, fields)


def comparison(before: Photo, after: Photo, fields: Mapping[str, object]) -> Call[models.ComparisonAnswer]:
    """``before`` and ``after``: photos of the same skin."""
    named = (("before", before), ("after", after))
    return Call("POST", "/api/compare/skin", models.ComparisonAnswer, named, fields)


#: answers with 503 if a part of the service failed
SELFTEST = Call("POST", "/api/selftest", models.CapabilityAnswer, statuses=(200, 503))
MEASURES = Call("GET", "/api/measures", models.MeasuresAnswer)
CONDITIONS = Call("GET", "/api/conditions", models.ConditionsAnswer)
MODELS = Call("GET", "/api/models", models.ModelsAnswer)
LABEL = Call("GET", "/api/label", models.LabelAnswer)
HEALTH = Call("GET", "/health", models.LiveAnswer)
READY = Call("GET", "/health/ready", models.ReadyAnswer)


def _bytes_of(photo: Photo) -> bytes:
    if isinstance(photo, bytes):
        return photo
    return Path(photo).read_bytes() if isinstance(photo, str | os.PathLike) else photo.read()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return value.isoformat() if isinstance(value, date) else str(value)

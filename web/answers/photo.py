"""What an answer says about the photos themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import model_validator

from ml import values
from web.answers.words import ModalityLabel, StatedModality
from web.wire import Count, MaybeShare, Range, Rounded, Wire


class View(Wire):
    """One uploaded photo, upright."""

    width: Count
    """Pixels."""
    height: Count
    """Pixels."""
    format: str
    """The file format, such as JPEG."""


class Image(View):
    """The first photo, and all photos of the case."""

    views: list[View]
    """All photos of the case, the first one included."""

    @model_validator(mode="before")
    @classmethod
    def _of(cls, photos: Sequence[values.Photo]) -> dict[str, object]:
        views = [View.model_validate(photo) for photo in photos]
        return dict(views[0]) | {"views": views}


class Problem(Wire):
    """Something that is wrong with a photo."""

    code: str
    """For programs, such as `blurred`."""
    message: str
    """For people: what is wrong."""
    advice: str
    """For people: what to do about it."""


class Quality(Wire):
    """The quality of the photos."""

    usable: bool
    """False if nothing can be measured."""
    score: Annotated[float, Range(0, 100), Rounded(0)]
    """0–100; 100 is best."""
    problems: list[Problem]
    """The worst first."""


class Modality(Wire):
    """The kind of photo, which decides what may be said of it."""

    label: ModalityLabel | None
    """The kind; null if it could not be determined."""
    confidence: MaybeShare
    """0–1; null if the kind was stated or could not be determined."""
    stated: StatedModality | None
    """The kind that the request states."""

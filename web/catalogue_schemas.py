"""The documented answers about the service itself: models, conditions, measures, label, health."""

from __future__ import annotations

from typing import Any, Literal

from web.schemas import Index, Wire


class ServedModel(Wire):
    """One model that takes part in answers. ``files`` are those it was fetched with, and their sha256; ``card`` is its
    model card in Markdown. Null in cosmetic mode where they would name diseases, and for canned answers."""

    name: str
    version: str
    task: str
    framework: str
    licence: str
    input: str | None
    output: str | None
    source: str | None
    fingerprint: str | None
    files: dict[str, str]
    card: str | None


class ModelsAnswer(Wire):
    """The models that this service is set to use."""

    success: Literal[True] = True
    models: list[ServedModel]


class NamedCondition(Wire):
    """A condition as SCIN's dermatologists name it, and its ICD-10-CM code."""

    name: str
    icd_10: str


class ConditionsAnswer(Wire):
    """The names that an answer may use. None in cosmetic mode."""

    success: Literal[True] = True
    vocabulary: str
    cosmetic_mode: bool
    conditions: list[NamedCondition]


class Measure(Wire):
    """A quantity that may be measured on a photo. ``label`` and ``description`` are for people; ``direction`` says what
    a higher value means. ``unit`` is "1" or "index" where there is no dimension, and "share of …" for 0–1.
    ``regions``: "skin" is all skin of the photo or of its face, "zone" a zone of a face. ``scored``: an answer may give
    the percentile of a value among the index's photos. ``clinical``: it describes a lesion; cosmetic mode leaves it
    out."""

    name: str
    label: str
    unit: str
    direction: str
    description: str
    method: str
    regions: list[str]
    scored: bool
    clinical: bool


class MeasuresAnswer(Wire):
    """Every measure that an answer may hold. None that is clinical in cosmetic mode."""

    success: Literal[True] = True
    cosmetic_mode: bool
    measures: list[Measure]


class Limits(Wire):
    """What one request may hold, and how often one client may ask. ``rate_limit`` null: as often as there is room."""

    max_request_bytes: int
    max_pixels: int
    max_pixels_not_jpeg: int
    max_photos: int
    max_similar_cases: int
    max_age_years: int
    max_seconds: float
    rate_limit: str | None
    key_required: bool


class LabelAnswer(Wire):
    """What the service is for, what it is not for, and what it is running with."""

    success: Literal[True] = True
    name: str
    version: str
    disclaimer: str
    intended_use: list[str]
    out_of_scope: list[str]
    known_limits: list[str]
    limits: Limits
    cosmetic_mode: bool
    mock: bool
    index: Index | None
    attribution: dict[str, str]


class MLState(Wire):
    """Whether this process can analyse, now or soon."""

    available: bool
    state: str
    reason: str | None


class LiveAnswer(Wire):
    """The process is alive."""

    status: Literal["ok"]
    version: str
    mock: bool
    ml: MLState


class ReadyAnswer(Wire):
    """The instance can analyse. ``threads`` is how it divides its cores, ``index`` what it searches."""

    status: Literal["ready"]
    workers: dict[str, int]
    threads: dict[str, Any]
    index: dict[str, Any] | None

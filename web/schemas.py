"""The documented answers. A number that was not measured is null; nothing here computes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(Wire):
    """One uploaded photo, upright, in pixels."""

    width: int
    height: int
    format: str


class Image(View):
    """The first photo, and all photos of the case."""

    views: list[View]


class Problem(Wire):
    code: str
    message: str
    advice: str


class Quality(Wire):
    usable: bool
    score: float | None
    problems: list[Problem]


class Modality(Wire):
    label: str | None
    confidence: float | None
    stated: str | None


class Tone(Wire):
    ita_deg: float | None
    ita_category: str | None
    fitzpatrick_estimate: int | None
    monk_estimate: int | None
    caveat: str


class Measurement(Wire):
    name: str
    value: float | None
    unit: str
    score: float | None
    score_uncertainty: float | None
    method: str
    region: str
    uncertainty: float | None


class Zone(Wire):
    """``polygon``: (x, y) pairs as fractions of the photo's width and height."""

    name: str
    polygon: list[tuple[float, float]]
    measurements: list[Measurement]


class Skin(Wire):
    tone: Tone | None
    measurements: list[Measurement]
    zones: list[Zone] | None


class Condition(Wire):
    name: str
    icd_10: str | None
    probability: float | None
    band: str
    evidence: list[str]


class Prediction(Wire):
    code: str
    name: str
    icd_10: str | None
    probability: float | None


class Lesion(Wire):
    model: str
    predictions: list[Prediction]
    calibrated: list[Prediction] | None
    malignant_probability: float | None
    definition: str
    sensitivity: float | None
    caveat: str


class Decision(Wire):
    kind: Literal["answer", "set", "abstain"]
    set: list[str]
    coverage: float | None
    reasons: list[str]


class Accuracy(Wire):
    """How often the service was right for people like this one."""

    group: str
    metric: str
    value: float
    interval: tuple[float, float]
    n: int
    dataset: str


class SimilarCase(Wire):
    """``demonstration`` is true for a generated case, which is nobody's."""

    case_id: str
    similarity: float | None
    demonstration: bool
    thumbnail: str | None
    thumbnails: list[str]
    differential: dict[str, float | None]
    dermatologists: dict[str, Any]
    fitzpatrick: dict[str, Any]
    monk: dict[str, Any]
    body_parts: list[str]
    age_group: str | None


class Model(Wire):
    name: str
    version: str
    framework: str
    engine: str
    licence: str


class Index(Wire):
    name: str
    dataset: str
    synthetic: bool
    cases: int
    images: int
    dimension: int
    built_at: str


class AnalysisAnswer(Wire):
    """The answer for one case."""

    success: Literal[True] = True
    analysis_id: str
    timestamp: str
    version: str
    mock: bool
    image: Image
    quality: Quality
    modality: Modality
    skin: Skin
    conditions: list[Condition]
    lesion: Lesion | None
    decision: Decision
    accuracy: Accuracy | None
    similar_cases: list[SimilarCase]
    attribution: dict[str, str]
    models: list[Model]
    index: Index | None
    notes: list[str]
    timings_ms: dict[str, float | None]
    disclaimer: str


class CapabilityPart(Wire):
    name: str
    ok: bool
    version: str | None
    model: str | None
    ms: float | None
    reason: str | None


class CapabilityAnswer(Wire):
    """What the self-test found, part by part. ``success`` is false if a part failed."""

    success: bool
    parts: list[CapabilityPart]


class ErrorDetail(Wire):
    code: str
    message: str
    details: dict[str, Any]


class ErrorAnswer(Wire):
    """Every failure."""

    success: Literal[False] = False
    error: ErrorDetail
    request_id: str

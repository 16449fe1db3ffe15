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
    """``ita_corrected_deg`` is after shades of grey. A range is the lowest and the highest that are as likely."""

    ita_deg: float | None
    ita_corrected_deg: float | None
    ita_category: str | None
    fitzpatrick_estimate: int | None
    fitzpatrick_range: tuple[int, int] | None
    monk_estimate: int | None
    monk_range: tuple[int, int] | None
    caveat: str


class Measurement(Wire):
    """``label`` is the name for people; `/api/measures` says more of each ``name``."""

    name: str
    label: str
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
    """``probability`` is the raw share of the similar cases' vote, 0–1, ``calibrated_probability`` what the index's
    calibration makes of it; ``band`` is that of the calibrated one where there is one. ``agreement``, 0–1, is how far
    the dermatologists of the cases in ``evidence`` agreed."""

    name: str
    icd_10: str | None
    probability: float | None
    band: str
    evidence: list[str]
    calibrated_probability: float | None = None
    agreement: float | None = None


class Prediction(Wire):
    code: str
    name: str
    icd_10: str | None
    probability: float | None


class Lesion(Wire):
    """``predictions`` are calibrated probabilities, 0–1, and ``malignant_probability`` is the sum of the malignant ones
    among them. ``raw_predictions``, the model's own output, is null unless the request has ``detail=full``."""

    model: str
    predictions: list[Prediction]
    malignant_probability: float | None
    definition: str
    sensitivity: float | None
    caveat: str
    raw_predictions: list[Prediction] | None = None


class Decision(Wire):
    """``set`` holds a right condition in ``coverage`` (0–1) of cases like this one; ``group`` is whose calibration says
    so: a group of Monk tones, or "all". ``reasons`` say why there is no set, or why it is not the tone's own."""

    kind: Literal["answer", "set", "abstain"]
    set: list[str]
    coverage: float | None
    reasons: list[str]
    group: str | None = None


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


class Overlay(Wire):
    """A PNG with transparency to lay over the first photo, in its shape. ``deletion_score``, 0–1, of a heat map: how
    much more of the score goes with its most important part than with the same shape elsewhere; 0 is no better than
    chance."""

    name: str
    region: str
    media_type: str
    data_base64: str
    deletion_score: float | None


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
    accuracy_reason: str | None = None
    similar_cases: list[SimilarCase]
    overlays: list[Overlay] = []
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

"""Pydantic models of the answers, which are also the schemas of the OpenAPI document.

Each field takes the attribute of the same name from a value of ml.values. To add a field, add it to that value and to
its model here. The few fields without such an attribute come from defaults and from ``render_analysis``.
"""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ml import values
from ml.skin.catalogue import CATALOGUE
from ml.skin.reference import KINDS
from ml.skin.tone import GROUPS
from web import __version__
from web.cosmetic import without_diseases

if TYPE_CHECKING:
    from ml.selftest import CapabilityPart as Part

DISCLAIMER = (
    "Research and education software, not a medical device. It makes no diagnosis and gives no all-clear. "
    "Show a skin change that worries you to a doctor."
)
_SYNTHETIC_NOTICE = "The similar cases are generated skin, for demonstration only: no disease is named from them."


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 1)


#: null if the value was not measured, or is NaN or infinite
Number = Annotated[float | None, AfterValidator(_finite)]
Milliseconds = Annotated[Number, AfterValidator(_rounded)]


class Wire(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, from_attributes=True, json_schema_serialization_defaults_required=True
    )


class View(Wire):
    """One uploaded photo, upright, in pixels."""

    width: int
    height: int
    format: str


class Image(View):
    """The first photo, and all photos of the case."""

    views: list[View]

    @model_validator(mode="before")
    @classmethod
    def _of(cls, photos: Sequence[values.Photo]) -> dict[str, object]:
        views = [View.model_validate(photo) for photo in photos]
        return dict(views[0]) | {"views": views}


class Problem(Wire):
    code: str
    message: str
    advice: str


class Quality(Wire):
    usable: bool
    score: Number
    problems: list[Problem]


class Modality(Wire):
    label: str | None
    confidence: Number
    stated: str | None


class Tone(Wire):
    """``group`` is the colour of the skin in this photo: "light", "medium" or "dark". ``group_range`` is the lightest
    and the darkest group that another photo of the same person may show. ``reference`` names the reference in the
    photo that the tone was measured with. With one, every answer has the fields below, except ``ita_corrected_deg``.
    Without one, they need ``detail=full`` and say what the photo's colours would mean in neutral light; they are not a
    typing of the person. ``ita_corrected_deg`` is ITA after white balance by the photo's own colours. A range is the
    lowest and the highest likely value."""

    group: str | None = Field(json_schema_extra={"enum": [*GROUPS, None]})
    group_range: tuple[str, str] | None
    reference: str | None = Field(json_schema_extra={"enum": [*KINDS, None]})
    caveat: str
    ita_deg: Number
    ita_uncertainty_deg: Number
    ita_corrected_deg: Number
    ita_category: str | None
    fitzpatrick_estimate: int | None
    fitzpatrick_range: tuple[int, int] | None
    monk_estimate: int | None
    monk_range: tuple[int, int] | None


class Measurement(Wire):
    """``label`` is the name to show to people, ``direction`` says what a higher value means. `/api/measures` describes
    each ``name``."""

    name: str = Field(json_schema_extra={"enum": [*CATALOGUE]})
    label: Annotated[str, AfterValidator(lambda name: CATALOGUE[name].label)] = Field(validation_alias="name")
    value: Number
    unit: str
    direction: Annotated[str, AfterValidator(lambda name: CATALOGUE[name].direction)] = Field(validation_alias="name")
    score: Number
    score_uncertainty: Number
    method: str
    region: str
    uncertainty: Number


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
    """``probability``, 0–1, is the condition's share before calibration: of the similar cases' vote, of the index's
    classifier, or of both.
    ``calibrated_probability`` is null if the index has no calibration. ``band`` is derived from the calibrated
    probability if there is one, else from ``probability``. ``agreement``, 0–1, says how far the dermatologists agreed
    on the cases in ``evidence``."""

    name: str
    icd_10: str | None
    probability: Number
    band: str
    evidence: list[str]
    calibrated_probability: Number
    agreement: Number


class Prediction(Wire):
    code: str
    name: str
    icd_10: str | None
    probability: Number


class LesionSum(Wire):
    """The probability, 0–1, that the lesion belongs to one of the classes in ``codes``."""

    name: Literal["cancer", "cancer_or_precancerous"]
    codes: list[str]
    probability: Number


class LesionDecision(Wire):
    """``set`` contains the codes of the possible classes. It contains the right one in a share ``coverage`` (0–1) of
    photos like those of the model's data. ``none_of_these``: the photo is unlike those data."""

    kind: Literal["answer", "set", "none_of_these"]
    set: list[str]
    coverage: Number


class Lesion(Wire):
    """``input`` is the kind of photo that the model reads. ``predictions`` are calibrated probabilities, 0–1.
    ``malignant_probability`` is the sum over the malignant classes, which ``definition`` names; null if ``decision``
    says none of these. ``sums`` are sums over named groups of classes. ``decision`` is null if the model makes none.
    ``raw_predictions`` are the model's output before calibration; null unless the request has ``detail=full``."""

    model: str
    input: Literal["phone", "dermatoscopic"]
    decision: LesionDecision | None
    predictions: list[Prediction]
    malignant_probability: Number
    sums: list[LesionSum]
    definition: str
    sensitivity: Number
    caveat: str
    raw_predictions: list[Prediction] | None


class Decision(Wire):
    """``set`` contains a correct condition in a share ``coverage`` (0–1) of similar cases. ``group`` names the skin
    tones of the calibration that made the set: a group of Monk tones, or "all". ``reasons`` say why there is no set, or
    why the calibration of all tones was used."""

    kind: Literal["answer", "set", "abstain"]
    set: list[str]
    coverage: Number
    reasons: list[str]
    group: str | None


class Accuracy(Wire):
    """How often the service was right for the skin tones in ``group``, on ``n`` cases. ``interval`` is the 95%
    confidence interval."""

    group: str
    metric: str
    value: float
    interval: tuple[float, float]
    n: int
    dataset: str


class SimilarCase(Wire):
    """``demonstration`` is true for a generated case, which shows no real person."""

    case_id: str
    similarity: Number
    demonstration: bool = False
    thumbnail: str | None = Field(default=None, validation_alias=AliasPath("thumbnails", 0))
    thumbnails: list[str]
    differential: dict[str, Number]
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
    photo_kind: Literal["clinical", "dermatoscopic"]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


class Overlay(Wire):
    """A transparent PNG with the first photo's aspect ratio, to draw over that photo. ``deletion_score``, 0–1, rates a
    heat map. It compares two drops of the explained score: after hiding the map's most important part, and after
    hiding the same shape elsewhere. 0 is no better than chance."""

    name: str
    region: str
    media_type: str
    data_base64: Annotated[str, BeforeValidator(_base64)] = Field(validation_alias="data")
    deletion_score: Number


class AnalysisAnswer(Wire):
    """The answer for one case."""

    success: Literal[True] = True
    analysis_id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    version: str = __version__
    mock: bool = False
    image: Image = Field(validation_alias="photos")
    quality: Quality
    modality: Modality
    skin: Skin
    conditions: list[Condition]
    lesion: Lesion | None
    decision: Decision
    accuracy: Accuracy | None
    accuracy_reason: str | None
    similar_cases: list[SimilarCase]
    overlays: list[Overlay]
    attribution: dict[str, str] = Field(default={}, validation_alias=AliasPath("index", "attribution"))
    models: list[Model]
    index: Index | None
    notes: list[str]
    timings_ms: dict[str, Milliseconds]
    disclaimer: str = DISCLAIMER


class CapabilityPart(Wire):
    name: str
    ok: bool
    version: str | None
    model: str | None
    ms: Milliseconds
    reason: str | None


class CapabilityAnswer(Wire):
    """The self-test's result for each part. ``success`` is false if a part failed."""

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
    """The instance can analyse. ``threads`` is its thread plan, ``index`` describes the loaded index."""

    status: Literal["ready"]
    workers: dict[str, int]
    threads: dict[str, Any]
    index: dict[str, Any] | None


def render_analysis(
    analysis: values.Analysis,
    timings_ms: Mapping[str, float],
    *,
    cosmetic: bool,
    mock: bool = False,
    full: bool = False,
) -> AnalysisAnswer:
    """The answer for one case. ``cosmetic`` removes everything that names a disease. ``mock`` marks a canned answer.
    ``full`` keeps the raw output of the lesion model."""
    if cosmetic:
        analysis = without_diseases(analysis)
    answer = AnalysisAnswer.model_validate(replace(analysis, timings_ms=timings_ms))
    made: dict[str, object] = {"mock": mock}
    if answer.index and answer.index.synthetic:
        made["similar_cases"] = [case.model_copy(update={"demonstration": True}) for case in answer.similar_cases]
        made["notes"] = [*answer.notes, _SYNTHETIC_NOTICE]
    if answer.lesion and not full:
        made["lesion"] = answer.lesion.model_copy(update={"raw_predictions": None})
    return answer.model_copy(update=made)


def render_capability(parts: Iterable[Part]) -> CapabilityAnswer:
    """The self-test's answer."""
    rendered = [CapabilityPart.model_validate(part) for part in parts]
    return CapabilityAnswer(success=all(part.ok for part in rendered), parts=rendered)

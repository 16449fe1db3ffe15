"""Response profiles: the answer in the format of another service. A profile is a function and its answer models.

The function gets the finished answer, so that it cannot show anything that cosmetic mode removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args, get_type_hints

from pydantic import BaseModel

from ml.values import NOT_SKIN
from web.answers import AnalysisAnswer, Condition, Decision, Wire

OWN = "dermserve"
#: number of predictions in Autoderm's answers
_AUTODERM_MOST = 5


def dermserve(answer: AnalysisAnswer) -> AnalysisAnswer:
    """The service's own format."""
    return answer


class AutodermPrediction(Wire):
    """``confidence``, 0–1, is the calibrated probability. ``icd`` is the older name of ``icd_10``, with the same
    value."""

    disease: str
    name: str
    confidence: float
    icd_10: str | None
    icd: str | None


class AutodermSkinTone(Wire):
    """``fitzpatrick`` is null unless the tone was measured with a colour reference in the photo. ``confidence`` is
    always null, because the confidence of this estimate was not measured."""

    fitzpatrick: int | None
    confidence: float | None = None


class AutodermAnswer(Wire):
    """Autoderm's current and older fields, and the decision and disclaimer of this service."""

    success: Literal[True] = True
    message: str
    id: str
    predictions: list[AutodermPrediction]
    skin_tone: AutodermSkinTone
    decision: Decision
    disclaimer: str


class AutodermNotSkin(Wire):
    """Autoderm's answer to a photo that does not show skin."""

    success: Literal[False] = False
    message: str = "picture is not of skin"
    id: str = ""
    predictions: tuple[()] = ()


def autoderm(answer: AnalysisAnswer) -> AutodermAnswer | AutodermNotSkin:
    """The format of Autoderm.

    If the analysis abstains, there are no predictions: the format has no field for doubt, and its clients show the
    first prediction as the answer.
    """
    decision, tone = answer.decision, answer.skin.tone
    if NOT_SKIN in decision.reasons:
        return AutodermNotSkin()
    abstains = decision.kind == "abstain"
    return AutodermAnswer(
        message=f"no answer: {', '.join(decision.reasons)}" if abstains else "completed",
        id=answer.analysis_id,
        predictions=[] if abstains else _autoderm_predictions(answer.conditions),
        skin_tone=AutodermSkinTone(fitzpatrick=tone.fitzpatrick_estimate if tone and tone.reference else None),
        decision=decision,
        disclaimer=answer.disclaimer,
    )


def _autoderm_predictions(conditions: list[Condition]) -> list[AutodermPrediction]:
    """The conditions with a calibrated probability, the most probable first."""
    calibrated = [(one, p) for one in conditions if (p := one.calibrated_probability) is not None]
    ranked = sorted(calibrated, key=lambda pair: -pair[1])[:_AUTODERM_MOST]
    return [
        AutodermPrediction(disease=one.name, name=one.name, confidence=p, icd_10=one.icd_10, icd=one.icd_10)
        for one, p in ranked
    ]


#: name → function; the OpenAPI document shows the models in its return annotation
PROFILES: Mapping[str, Callable[[AnalysisAnswer], BaseModel]] = {OWN: dermserve, "autoderm": autoderm}
#: the answer models of all profiles
ANSWERS: tuple[type[BaseModel], ...] = tuple(
    model
    for profile in PROFILES.values()
    for declared in [get_type_hints(profile)["return"]]
    for model in get_args(declared) or [declared]
)

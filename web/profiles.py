"""Response profiles: the answer in the shape that clients of another service read. Each is a function and its models.

A profile is made of the finished answer, so that none can show what cosmetic mode left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args, get_type_hints

from pydantic import BaseModel

from ml.values import NOT_SKIN
from web.answers import AnalysisAnswer, Condition, Decision, Wire

OWN = "dermserve"
#: as many predictions as Autoderm lists
_AUTODERM_MOST = 5


def dermserve(answer: AnalysisAnswer) -> AnalysisAnswer:
    """The service's own shape."""
    return answer


class AutodermPrediction(Wire):
    """``confidence`` 0–1 is the calibrated probability; ``icd`` repeats ``icd_10`` under the older name."""

    disease: str
    name: str
    confidence: float
    icd_10: str | None
    icd: str | None


class AutodermSkinTone(Wire):
    """``confidence`` is null: it was not measured for this estimate."""

    fitzpatrick: int | None
    confidence: float | None = None


class AutodermAnswer(Wire):
    """Autoderm's current and older fields side by side, with the decision and the disclaimer."""

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
    """The shape that Autoderm's clients read.

    Where the analysis abstains there are no predictions: the shape has no place for doubt, and its clients take the
    first name for the answer.
    """
    decision, tone = answer.decision, answer.skin.tone
    if NOT_SKIN in decision.reasons:
        return AutodermNotSkin()
    abstains = decision.kind == "abstain"
    return AutodermAnswer(
        message=f"no answer: {', '.join(decision.reasons)}" if abstains else "completed",
        id=answer.analysis_id,
        predictions=[] if abstains else _autoderm_predictions(answer.conditions),
        skin_tone=AutodermSkinTone(fitzpatrick=None if tone is None else tone.fitzpatrick_estimate),
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


#: name → function; the document shows the models that it is declared to return
PROFILES: Mapping[str, Callable[[AnalysisAnswer], BaseModel]] = {OWN: dermserve, "autoderm": autoderm}
#: every model that an analysis may be answered with
ANSWERS: tuple[type[BaseModel], ...] = tuple(
    model
    for profile in PROFILES.values()
    for declared in [get_type_hints(profile)["return"]]
    for model in get_args(declared) or [declared]
)

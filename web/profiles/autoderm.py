"""The format of the Autoderm service, for its clients."""

from __future__ import annotations

from typing import Annotated

from ml.values import NOT_SKIN
from web.answers import AnalysisAnswer
from web.answers.disease import Condition, Decision
from web.wire import MaybeShare, Range, Share, Wire

#: number of predictions in Autoderm's answers
_MOST_PREDICTIONS = 5


class AutodermPrediction(Wire):
    """A condition."""

    omits_nulls = False

    disease: str
    """The condition."""
    name: str
    """The same."""
    confidence: Share
    """The calibrated probability, 0–1."""
    icd_10: str | None
    """ICD-10-CM code."""
    icd: str | None
    """The older name of `icd_10`, with the same value."""


class AutodermSkinTone(Wire):
    """The tone of the skin."""

    omits_nulls = False

    fitzpatrick: Annotated[int, Range(1, 6)] | None
    """Fitzpatrick type, 1–6; null unless it was measured with a colour reference in the photo."""
    confidence: MaybeShare = None
    """Always null, because the confidence of this estimate was not measured."""


class AutodermAnswer(Wire):
    """Autoderm's current and older fields, and the decision and disclaimer of this service."""

    success: bool
    """False if the photo does not show skin."""
    message: str
    """`completed`, or why there are no predictions."""
    id: str
    """The id of this answer; empty if the photo does not show skin."""
    predictions: list[AutodermPrediction]
    """The most probable first; empty if the analysis abstains."""
    skin_tone: AutodermSkinTone
    """Fitzpatrick type."""
    decision: Decision
    """What the analysis commits to."""
    disclaimer: str
    """Show this to users."""


def autoderm(answer: AnalysisAnswer) -> AutodermAnswer:
    """The format of Autoderm.

    If the analysis abstains, there are no predictions: the format has no field for doubt, and its clients show the
    first prediction as the answer.
    """
    decision, tone = answer.decision, answer.skin.tone
    is_skin = NOT_SKIN not in decision.reasons
    return AutodermAnswer(
        success=is_skin,
        message=_message(decision) if is_skin else "picture is not of skin",
        id=answer.analysis_id if is_skin else "",
        predictions=[] if decision.kind == "abstain" else _predictions(answer.conditions),
        skin_tone=AutodermSkinTone(fitzpatrick=tone.fitzpatrick_estimate if tone and tone.reference else None),
        decision=decision,
        disclaimer=answer.disclaimer,
    )


def _message(decision: Decision) -> str:
    return f"no answer: {', '.join(decision.reasons)}" if decision.kind == "abstain" else "completed"


def _predictions(conditions: list[Condition]) -> list[AutodermPrediction]:
    """The conditions with a calibrated probability, the most probable first."""
    calibrated = [(one, p) for one in conditions if (p := one.calibrated_probability) is not None]
    ranked = sorted(calibrated, key=lambda pair: -pair[1])[:_MOST_PREDICTIONS]
    return [
        AutodermPrediction(disease=one.name, name=one.name, confidence=p, icd_10=one.icd_10, icd=one.icd_10)
        for one, p in ranked
    ]

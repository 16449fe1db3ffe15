"""The shape that Autoderm's clients read: its current and its older fields side by side, and its not-skin answer.

Where the analysis abstains there are no predictions: the shape has no place for a doubt, and its clients take the first
name for the answer. The decision, its reasons and the disclaimer stand beside them.
"""

from __future__ import annotations

from typing import Literal

from ml.values import NOT_SKIN
from web import schemas

#: as many as that service lists
MOST = 5


class Prediction(schemas.Wire):
    """``confidence`` 0–1 is the calibrated probability; ``icd`` repeats ``icd_10`` under the older name."""

    disease: str
    name: str
    confidence: float
    icd_10: str | None
    icd: str | None


class SkinTone(schemas.Wire):
    """``confidence`` is null: ours is an estimate whose confidence was not measured."""

    fitzpatrick: int | None
    confidence: float | None = None


class Answer(schemas.Wire):
    success: Literal[True] = True
    message: str
    id: str
    predictions: list[Prediction]
    skin_tone: SkinTone
    decision: schemas.Decision
    disclaimer: str


class NotSkin(schemas.Wire):
    success: Literal[False] = False
    message: str = "picture is not of skin"
    id: str = ""
    predictions: tuple[()] = ()


def render(answer: schemas.AnalysisAnswer) -> Answer | NotSkin:
    """The same analysis in that shape."""
    decision, tone = answer.decision, answer.skin.tone
    if NOT_SKIN in decision.reasons:
        return NotSkin()
    abstains = decision.kind == "abstain"
    return Answer(
        message=f"no answer: {', '.join(decision.reasons)}" if abstains else "completed",
        id=answer.analysis_id,
        predictions=[] if abstains else _predictions(answer.conditions),
        skin_tone=SkinTone(fitzpatrick=None if tone is None else tone.fitzpatrick_estimate),
        decision=decision,
        disclaimer=answer.disclaimer,
    )


def _predictions(conditions: list[schemas.Condition]) -> list[Prediction]:
    """The likeliest first, of those whose probability is calibrated."""
    sure = [(one, p) for one in conditions if (p := one.calibrated_probability) is not None]
    ranked = sorted(sure, key=lambda pair: -pair[1])[:MOST]
    return [
        Prediction(disease=one.name, name=one.name, confidence=p, icd_10=one.icd_10, icd=one.icd_10)
        for one, p in ranked
    ]

"""Pydantic models of the answers, which are also the schemas of the OpenAPI document.

Each field takes the attribute of the same name from a value of ml.values. To add a field, add it to that value and to
its model here. The few fields without such an attribute come from defaults and from ``render_analysis``.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AliasPath, Field

from ml import values
from ml.analysis.summary import summarise
from scin.conditions import urgency
from web import __version__
from web.answers.disease import Accuracy, Condition, Decision, Lesion
from web.answers.evidence import Index, Model, Overlay, SimilarCase
from web.answers.photo import Image, Modality, Quality
from web.answers.skin import Skin
from web.answers.words import LanguageCode
from web.cosmetic import without_diseases
from web.language import ENGLISH, Language
from web.summaries import Summary, render_summary
from web.wire import FULL, STANDARD, From, Milliseconds, Wire

DISCLAIMER = (
    "Research and education software, not a medical device. It makes no diagnosis and gives no all-clear. "
    "Show a skin change that worries you to a doctor."
)
_DEFAULT = Language()
_SYNTHETIC_NOTICE = "The similar cases are generated skin, for demonstration only: no disease is named from them."


class AnalysisAnswer(Wire):
    """The answer for one case."""

    success: Literal[True] = True
    """Always true."""
    analysis_id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    """A random id of this answer."""
    timestamp: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    """ISO 8601 time of the answer."""
    version: str = __version__
    """The service's version."""
    mock: bool = False
    """True for a canned answer: nothing in it was measured on the photo."""
    language: LanguageCode
    """The language of `summary` and of everyday names."""
    summary: Summary
    """What to read first: the answer in sentences."""
    image: Annotated[Image, From(STANDARD)] = Field(validation_alias="photos")
    """The photos as they arrived."""
    quality: Quality
    """Whether the photos can be measured, and what is wrong with them."""
    modality: Modality
    """The kind of photo."""
    skin: Annotated[Skin, From(STANDARD)]
    """Tone and measurements."""
    conditions: Annotated[list[Condition], From(STANDARD)]
    """Conditions that the index suggests, the most probable first; empty if none is named."""
    lesion: Annotated[Lesion | None, From(STANDARD)]
    """The lesion model's answer; null if none was run. `notes` then say why."""
    decision: Decision
    """What the analysis commits to."""
    accuracy: Annotated[Accuracy | None, From(STANDARD)]
    """How often the service was right on such cases."""
    accuracy_reason: Annotated[str | None, From(STANDARD)]
    """Code that says why there is no `accuracy`."""
    similar_cases: Annotated[list[SimilarCase], From(STANDARD)]
    """Labelled cases that resemble the photo, the most similar first."""
    overlays: Annotated[list[Overlay], From(STANDARD)]
    """Pictures to draw over the first photo; empty unless the request has `outline` or `explain`."""
    attribution: Annotated[dict[str, str], From(STANDARD)] = Field(
        default={}, validation_alias=AliasPath("index", "attribution")
    )
    """Whose data the index holds, and under which licence."""
    models: Annotated[list[Model], From(STANDARD)]
    """The models that took part."""
    index: Annotated[Index | None, From(STANDARD)]
    """The index that was searched; null if none was."""
    notes: list[str]
    """For people: what was not done, and why."""
    timings_ms: Annotated[dict[str, Milliseconds], From(FULL)]
    """Duration of each step in milliseconds."""
    disclaimer: str = DISCLAIMER
    """Show this to users."""


@dataclass(frozen=True)
class _WithSummary(values.Analysis):
    """An analysis, and what the answer also has."""

    summary: Summary | None = None
    language: str = ENGLISH


def render_analysis(
    analysis: values.Analysis,
    timings_ms: Mapping[str, float],
    *,
    cosmetic: bool,
    mock: bool = False,
    outlines: bool = True,
    language: Language = _DEFAULT,
) -> AnalysisAnswer:
    """The answer for one case. ``cosmetic`` removes everything that names a disease. ``mock`` marks a canned answer.
    ``outlines``: with the polygons of a face's zones. ``language``: that of the summary."""
    if cosmetic:
        analysis = without_diseases(analysis)
    if not outlines and analysis.skin.zones:
        zones = tuple(replace(zone, polygon=()) for zone in analysis.skin.zones)
        analysis = replace(analysis, skin=replace(analysis.skin, zones=zones))
    summary = render_summary(summarise(analysis, cosmetic=cosmetic, made_up=mock, urgency=urgency), language)
    stated = {**vars(analysis), "timings_ms": timings_ms}
    rendered = _WithSummary(**stated, summary=summary, language=language.code)
    answer = AnalysisAnswer.model_validate(rendered, context={"language": language})
    made: dict[str, object] = {"mock": mock}
    if answer.index and answer.index.synthetic:
        made["similar_cases"] = [case.model_copy(update={"demonstration": True}) for case in answer.similar_cases]
        made["notes"] = [*answer.notes, _SYNTHETIC_NOTICE]
    return answer.model_copy(update=made)

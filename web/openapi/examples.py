"""Example answers for the document: canned ones of analyses, and the service's own of its catalogues, shortened."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel

from ml.analysis.comparison import PairRequest
from ml.analysis.pipeline import CaseRequest
from ml.deadline import Deadline
from ml.values import Photo
from web.answers import AnalysisAnswer, render_analysis
from web.answers.service import CapabilityAnswer, CapabilityPart
from web.comparisons import ComparisonAnswer, render_comparison
from web.mock import MockAnalyzer, MockComparer
from web.services import Services
from web.wire import payload

# The same in each document, so that all workers have the same one, and a profile shows the same id.
_ID, _TIME = "3f2b8a52-4e0b-4c53-9d25-6a1f0c6f7d11", "2026-01-01T00:00:00.000+00:00"
#: longer texts and lists are cut
_LONGEST_TEXT, _LONGEST_LIST = 300, 2


def analysis(services: Services) -> AnalysisAnswer:
    """The mock answer to one photo of 640 × 480 pixels, with a fixed id and time."""
    made = MockAnalyzer().analyze(CaseRequest(photos=(_photo(),), k=1), Deadline(60))
    answer = render_analysis(made, {"total": 0.0}, cosmetic=services.settings.cosmetic_mode, mock=True)
    return answer.model_copy(update={"analysis_id": _ID, "timestamp": _TIME})


def comparison(services: Services) -> ComparisonAnswer:
    """The mock answer to two photos of 640 × 480 pixels, with a fixed id and time."""
    made = MockComparer().compare(PairRequest(_photo(), _photo()), Deadline(60))
    return render_comparison(made, {"total": 0.0}, mock=True).model_copy(
        update={"comparison_id": _ID, "timestamp": _TIME}
    )


def self_test(_: Services) -> CapabilityAnswer:
    """One part that works."""
    part = CapabilityPart(name="faiss", ok=True, version="1.12.0", model=None, ms=0.4, reason=None)
    return CapabilityAnswer(success=True, parts=[part])


def example_of(answer: BaseModel) -> dict[str, Any]:
    """``answer`` as JSON. Long texts and lists are cut."""
    shown: dict[str, Any] = _cut(payload(answer))
    return shown


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_cut(one) for one in value[:_LONGEST_LIST]]
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return value[:_LONGEST_TEXT] + "…"
    return value


def _photo() -> Photo:
    return Photo(np.zeros((480, 640, 3), np.uint8), 640, 480, "JPEG")

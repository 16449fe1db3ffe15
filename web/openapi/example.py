"""An example of an answer: what the mock services answer, so that it always has the shape of a real one."""

from __future__ import annotations

import numpy as np

from ml.analysis.pipeline import CaseRequest
from ml.deadline import Deadline
from ml.values import Patient, Photo
from settings import Settings
from web.mock import MockAnalyzer
from web.rendering import render_analysis

_FIXED = {"analysis_id": "3f2b8a52-4e0b-4c53-9d25-6a1f0c6f7d11", "timestamp": "2026-01-01T00:00:00.000+00:00"}


def analysis_example(settings: Settings) -> dict[str, object]:
    """The canned answer to one photo of 640 × 480."""
    photo = Photo(np.zeros((480, 640, 3), np.uint8), 640, 480, "JPEG")
    case = CaseRequest(photos=(photo,), patient=Patient(), modality=None, k=1)
    analysis = MockAnalyzer().analyze(case, Deadline(60))
    answer = render_analysis(analysis, {"total": 0.0}, cosmetic=settings.cosmetic_mode, mock=True)
    return answer.model_copy(update=_FIXED).model_dump(mode="json")

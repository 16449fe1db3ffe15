"""The face models, for the tests that need the real ones; skipped where they were not fetched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ml.models.faces import FaceDetector

_VAR = Path(os.environ.get("DERMSERVE_VAR", Path(__file__).parents[3] / "var"))
_MODELS = _VAR / "models" / "mediapipe-face" / "0.6.0"


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    files = (_MODELS / "face_detection_full_range.tflite", _MODELS / "face_landmark.tflite")
    if not all(file.is_file() for file in files):
        pytest.skip("run: python -m ml fetch")
    return FaceDetector(*files)

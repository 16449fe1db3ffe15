"""What a photo is taken for, and which models answer for it."""

from __future__ import annotations

import numpy as np
import pytest

from ml.faces import Face
from ml.modality import MODALITIES, conflicts, determine, why_no_lesion
from ml.values import Modality


def face(score: float) -> Face:
    return Face((10.0, 10.0, 50.0, 50.0), np.zeros((6, 2), np.float32), score)


@pytest.mark.parametrize("stated", MODALITIES)
@pytest.mark.parametrize("faces", [None, [], [face(0.99)]])
def test_what_is_stated_is_followed(stated: str, faces: list[Face] | None) -> None:
    assert determine(stated, faces) == Modality(stated, None, stated)


def test_an_unstated_photo_with_a_face_is_a_face() -> None:
    assert determine(None, [face(0.9), face(0.6)]) == Modality("face", 0.9, None)


@pytest.mark.parametrize("faces", [None, []])
def test_an_unstated_photo_without_a_face_is_undetermined(faces: list[Face] | None) -> None:
    assert determine(None, faces) == Modality(None, None, None)


@pytest.mark.parametrize(
    ("stated", "faces", "expected"),
    [
        ("dermatoscopic", [face(0.8)], True),
        ("dermatoscopic", [face(0.79)], False),
        ("dermatoscopic", [], False),
        ("dermatoscopic", None, False),
        ("close_up", [face(0.99)], False),
        ("face", [face(0.99)], False),
        (None, [face(0.99)], False),
    ],
)
def test_a_clear_face_contradicts_a_dermatoscope(stated: str | None, faces: list[Face] | None, expected: bool) -> None:
    assert conflicts(determine(stated, faces), faces) is expected


def test_the_lesion_classifier_answers_for_what_it_was_made_for() -> None:
    assert why_no_lesion(Modality("dermatoscopic", None, "dermatoscopic")) is None
    assert why_no_lesion(Modality(None, None, None)) is None
    assert "a face" in str(why_no_lesion(Modality("face", 0.9, None)))
    assert "a clinical close-up" in str(why_no_lesion(Modality("close_up", None, "close_up")))

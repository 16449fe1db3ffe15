"""What kind of photo it is, by what the heads and the face detector tell; and the heads that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.errors import ArtifactError
from ml.heads import Head, HeadSet, read_heads
from ml.photo_kind import Evidence, KindOfPhoto, Routing

_ZEROS = np.zeros(4)
_HEADS = {"skin": Head(_ZEROS, 0.0, 0.5), "dermatoscopic": Head(_ZEROS, 0.0, 0.9), "lesion": Head(_ZEROS, 0.0, 0.6)}
KINDS = KindOfPhoto(HeadSet("made", "0", _HEADS))


def seen(*, face: float = 0.0, skin: float = 0.99, dermatoscopic: float = 0.01, lesion: float = 0.1) -> Evidence:
    return Evidence(face, skin, dermatoscopic, lesion)


def label(evidence: Evidence) -> str | None:
    return KINDS.route(None, evidence).modality.label


def test_each_kind_is_told_by_its_head_and_a_face_by_the_detector() -> None:
    assert label(seen(dermatoscopic=0.95)) == "dermatoscopic"
    assert label(seen(lesion=0.8)) == "lesion_close_up"
    assert label(seen()) == "close_up"
    assert label(seen(skin=0.1)) == "not_skin"
    assert label(seen(face=0.7, skin=0.01)) == "face"
    assert label(seen(face=0.55, skin=0.01)) == "face"  # portraits look like things to the skin head
    assert label(seen(face=0.55)) == "close_up"


def test_confidence_is_the_probability_of_the_label() -> None:
    assert KINDS.route(None, seen(skin=0.1)).modality.confidence == pytest.approx(0.9)
    assert KINDS.route(None, seen(lesion=0.8)).modality.confidence == pytest.approx(0.8)
    assert KINDS.route(None, seen(lesion=0.3)).modality.confidence == pytest.approx(0.7)


def test_the_lesion_model_answers_near_certain_or_stated_dermatoscopic_photos_only() -> None:
    assert KINDS.route(None, seen(dermatoscopic=0.9)).lesion
    assert not KINDS.route(None, seen(dermatoscopic=0.89)).lesion
    assert KINDS.route("dermatoscopic", seen(dermatoscopic=0.4)).lesion
    for stated in (None, "face", "close_up", "lesion_close_up"):
        routing = KINDS.route(stated, seen(lesion=0.9))
        assert not routing.lesion
        assert "lesion model was not run" in routing.notes[0]


@pytest.mark.parametrize("photo", [{"usable": False}, {"colours": False}])
def test_it_answers_no_photo_without_contrast_or_colours(photo: dict[str, bool]) -> None:
    routing = KINDS.route("dermatoscopic", seen(dermatoscopic=0.99), **photo)
    assert not routing.lesion
    assert len(routing.notes) == 1


def test_pixels_contradict_what_was_stated_only_where_they_are_clear() -> None:
    def contradicted(stated: str, evidence: Evidence) -> Routing:
        routing = KINDS.route(stated, evidence)
        assert routing.conflict
        assert not routing.lesion
        return routing

    assert contradicted("dermatoscopic", seen(face=0.9)).modality.label == "face"
    assert contradicted("dermatoscopic", seen(dermatoscopic=0.01)).modality.label == "close_up"
    assert contradicted("close_up", seen(skin=0.01)).modality.label == "not_skin"
    assert not KINDS.route("close_up", seen(skin=0.2)).conflict
    assert not KINDS.route("face", seen()).conflict


def test_close_calls_are_said_to_be_close_in_words_for_people() -> None:
    for evidence in (seen(dermatoscopic=0.7), seen(skin=0.55), seen(lesion=0.65)):
        notes = " ".join(KINDS.route(None, evidence).notes)
        assert "close call" in notes or "may have been" in notes
        assert "modality" not in notes
        assert "_" not in notes
    assert len(KINDS.route(None, seen()).notes) == 1


def test_nothing_is_told_of_a_photo_in_which_nothing_can_be_seen() -> None:
    routing = KINDS.route(None, KINDS.evidence(None, 0.0))
    assert (routing.modality.label, routing.modality.confidence, routing.lesion) == (None, None, False)


def test_a_head_is_a_logistic_regression() -> None:
    head = Head(np.array([2.0, 0, 0, 0]), -1.0, 0.5)
    assert head.probability(np.array([1, 0, 0, 0], np.float32)) == pytest.approx(1 / (1 + np.exp(-1)))
    assert Head(np.full(4, 1e6), 0.0, 0.5).probability(np.ones(4, np.float32)) == pytest.approx(1)


@pytest.mark.parametrize("text", ["", "{}", '{"encoder": {"name": "x"}, "heads": {}}'])
def test_heads_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "heads.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"heads\.json"):
        read_heads(tmp_path / "heads.json")
    with pytest.raises(ArtifactError):
        read_heads(tmp_path / "absent.json")

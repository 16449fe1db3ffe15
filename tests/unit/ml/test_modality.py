"""What kind of photo it is, by what the heads and the face detector tell; and the heads that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ml.analysis.routing import Routing, route
from ml.errors import ArtifactError
from ml.models.encoder import Head, HeadSet, read_heads
from ml.models.kinds import Evidence, KindOfPhoto, read_kinds
from ml.models.registry import EFFICIENTNET_LITE0

_ZEROS = np.zeros(4)
_HEADS = {"skin": Head(_ZEROS, 0.0, 0.5), "dermatoscopic": Head(_ZEROS, 0.0, 0.9), "lesion": Head(_ZEROS, 0.0, 0.6)}
KINDS = KindOfPhoto(HeadSet("made", "0", _HEADS))


def seen(*, face: float = 0.0, skin: float = 0.99, dermatoscopic: float = 0.01, lesion: float = 0.1) -> Evidence:
    return Evidence(face, skin, dermatoscopic, lesion)


def label(evidence: Evidence) -> str | None:
    return route(KINDS, None, evidence).modality.label


def test_each_kind_is_told_by_its_head_and_a_face_by_the_detector() -> None:
    assert label(seen(dermatoscopic=0.95)) == "dermatoscopic"
    assert label(seen(lesion=0.8)) == "lesion_close_up"
    assert label(seen()) == "close_up"
    assert label(seen(skin=0.1)) == "not_skin"
    assert label(seen(face=0.7, skin=0.01)) == "face"
    assert label(seen(face=0.55, skin=0.01)) == "face"  # portraits look like things to the skin head
    assert label(seen(face=0.55)) == "close_up"
    assert label(seen(face=0.7, dermatoscopic=0.95)) == "face"
    assert label(seen(face=0.55, dermatoscopic=0.95)) == "dermatoscopic"


def test_confidence_is_the_probability_of_the_label() -> None:
    assert route(KINDS, None, seen(skin=0.1)).modality.confidence == pytest.approx(0.9)
    assert route(KINDS, None, seen(lesion=0.8)).modality.confidence == pytest.approx(0.8)
    assert route(KINDS, None, seen(lesion=0.3)).modality.confidence == pytest.approx(0.7)


def test_the_lesion_model_answers_near_certain_or_stated_dermatoscopic_photos_only() -> None:
    assert route(KINDS, None, seen(dermatoscopic=0.9)).no_lesion is None
    assert route(KINDS, None, seen(dermatoscopic=0.89)).no_lesion is not None
    assert route(KINDS, "dermatoscopic", seen(dermatoscopic=0.4)).no_lesion is None
    for stated in ("face", "close_up"):
        assert "No lesion model was run" in (route(KINDS, stated, seen(lesion=0.9)).no_lesion or "")


def test_a_lesion_model_answers_stated_and_recognised_lesion_close_ups() -> None:
    assert route(KINDS, None, seen(lesion=0.9)).no_lesion is None
    assert route(KINDS, "lesion_close_up", seen()).no_lesion is None
    assert "not certain" in (route(KINDS, None, seen(lesion=0.9, dermatoscopic=0.7)).no_lesion or "")


@pytest.mark.parametrize("photo", [{"usable": False}, {"colours": False}])
def test_it_answers_no_photo_without_contrast_or_colours(photo: dict[str, bool]) -> None:
    assert route(KINDS, "dermatoscopic", seen(dermatoscopic=0.99), **photo).no_lesion is not None
    assert route(KINDS, "lesion_close_up", seen(), **photo).no_lesion is not None


def test_pixels_contradict_what_was_stated_only_where_they_are_clear() -> None:
    def contradicted(stated: str, evidence: Evidence) -> Routing:
        routing = route(KINDS, stated, evidence)
        assert routing.conflict
        assert routing.no_lesion is not None
        return routing

    assert contradicted("dermatoscopic", seen(face=0.9)).modality.label == "face"
    assert contradicted("dermatoscopic", seen(dermatoscopic=0.01)).modality.label == "close_up"
    assert contradicted("close_up", seen(skin=0.01)).modality.label == "not_skin"
    assert not route(KINDS, "close_up", seen(skin=0.2)).conflict
    assert not route(KINDS, "face", seen()).conflict


def test_close_calls_are_said_to_be_close_in_words_for_people() -> None:
    def words(evidence: Evidence) -> str:
        routing = route(KINDS, None, evidence)
        return " ".join((routing.no_lesion or "", *routing.notes))

    assert "not certain" in words(seen(dermatoscopic=0.7))
    assert "close call whether this photo shows skin" in words(seen(skin=0.55))
    assert "close call whether this photo shows one lesion" in words(seen(lesion=0.65))
    assert "close call" not in words(seen())
    for evidence in (seen(dermatoscopic=0.7), seen(skin=0.55), seen(lesion=0.65), seen(skin=0.1)):
        assert "modality" not in words(evidence)
        assert "_" not in words(evidence)


def test_nothing_is_told_of_a_photo_in_which_nothing_can_be_seen() -> None:
    routing = route(KINDS, None, KINDS.evidence(None, 0.0))
    assert (routing.modality.label, routing.modality.confidence) == (None, None)
    assert routing.no_lesion is not None


def test_a_head_is_a_logistic_regression() -> None:
    head = Head(np.array([2.0, 0, 0, 0]), -1.0, 0.5)
    assert head.probability(np.array([1, 0, 0, 0], np.float32)) == pytest.approx(1 / (1 + np.exp(-1)))
    assert Head(np.full(4, 1e6), 0.0, 0.5).probability(np.ones(4, np.float32)) == pytest.approx(1)


def test_the_heads_that_ship_read_the_default_encoder() -> None:
    heads = read_kinds()
    assert heads.encoder == EFFICIENTNET_LITE0.name
    assert set(heads.heads) == {"skin", "dermatoscopic", "lesion"}
    for head in heads.heads.values():
        assert head.weights.shape == (EFFICIENTNET_LITE0.output_dim,)
        assert 0 < head.threshold < 1


@pytest.mark.parametrize("text", ["", "{}", '{"encoder": {"name": "x"}, "heads": {}}'])
def test_heads_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "heads.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"heads\.json"):
        read_heads(tmp_path / "heads.json")
    with pytest.raises(ArtifactError):
        read_heads(tmp_path / "absent.json")

"""What kind of photo a case is, and who answers for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ml.analysis.pipeline import Analyzer, CaseRequest
from ml.deadline import Deadline
from tests.unit.ml.case import LESION, OTHER, SKIN, Parts, analyze, face, round_mesh


@pytest.mark.parametrize("modality", ["face", "close_up"])
def test_no_lesion_model_answers_for_other_photos(modality: str) -> None:
    parts = Parts()
    analysis = analyze(parts, modality=modality)
    assert analysis.lesion is None
    assert "classify" not in parts.asked()
    assert len(analysis.notes) == 1
    assert "dermatoscope" in analysis.notes[0]
    assert analysis.modality.stated == modality


def test_nor_where_the_pixels_tell_another_kind() -> None:
    parts = Parts(kind="close_up")
    analysis = analyze(parts)
    assert analysis.modality.label == "close_up"
    assert analysis.lesion is None
    assert "classify" not in parts.asked()


@pytest.mark.parametrize("request_", [{}, {"modality": "lesion_close_up"}])
def test_the_model_for_phone_photos_answers_lesion_close_ups(request_: dict[str, str]) -> None:
    parts = Parts(kind="lesion_close_up")
    analysis = analyze(parts, SKIN, OTHER, **request_)
    assert analysis.lesion is not None
    assert analysis.lesion.input == "phone"
    assert ("phone lesions", 2) in parts.calls
    assert "classify" not in parts.asked()
    assert "phone-lesions" in [card.name for card in analysis.models]


def test_it_does_not_run_where_lesions_are_switched_off() -> None:
    parts = Parts(kind="lesion_close_up")
    analysis = analyze(parts, lesions=False)
    assert (analysis.lesion, analysis.notes) == (None, ())
    assert "phone-lesions" not in [card.name for card in analysis.models]


def test_it_reads_the_embeddings_of_its_own_encoder() -> None:
    parts, own = Parts(kind="lesion_close_up"), Parts(kind="lesion_close_up")
    models = replace(parts.models(), kind_encoder=own)
    Analyzer(models, parts).analyze(CaseRequest((SKIN, OTHER)), Deadline(60))
    assert [count for name, count in own.calls if name == "encode"] == [1, 2, 2]
    assert ("phone lesions", 2) in parts.calls


def test_a_face_that_was_found_is_a_face() -> None:
    analysis = analyze(Parts([face(0.7)], meshes=[round_mesh()], kind="not_skin"))
    assert (analysis.modality.label, analysis.modality.confidence, analysis.modality.stated) == ("face", 0.7, None)
    assert analysis.lesion is None


def test_a_dermatoscope_is_believed_unless_a_face_is_plain_to_see() -> None:
    assert analyze(Parts([face(0.6)], meshes=[round_mesh()]), modality="dermatoscopic").lesion == LESION
    conflict = analyze(Parts([face(0.95)], meshes=[round_mesh()]), modality="dermatoscopic")
    assert conflict.lesion is None
    assert "modality_conflict" in conflict.decision.reasons
    assert (conflict.modality.label, conflict.modality.stated) == ("face", "dermatoscopic")


def test_a_photo_without_skin_is_neither_measured_nor_looked_up() -> None:
    parts = Parts(kind="not_skin")
    analysis = analyze(parts)
    assert not {"search", "classify"} & set(parts.asked())
    assert analysis.modality.label == "not_skin"
    assert analysis.decision.kind == "abstain"
    assert "not_skin" in analysis.decision.reasons
    assert (analysis.lesion, analysis.conditions, analysis.similar_cases) == (None, (), ())
    assert (analysis.skin.tone, analysis.skin.measurements, analysis.skin.zones) == (None, (), None)
    assert "No skin" in analysis.notes[0]


def test_skin_that_was_stated_where_none_can_be_seen_is_a_conflict() -> None:
    analysis = analyze(Parts(kind="not_skin"), modality="close_up")
    assert (analysis.modality.label, analysis.modality.stated) == ("not_skin", "close_up")
    assert "modality_conflict" in analysis.decision.reasons
    assert analysis.conditions == ()

"""Which explanations an analysis gives, and when they stop."""

from __future__ import annotations

import pytest

from ml.analysis.pipeline import CaseRequest
from ml.errors import DeadlineExceededError
from ml.values import Patient
from tests.unit.ml.case import OTHER, SKIN, Parts, StopsAt, analyze

STAGES = ("measure", "faces", "encode", "search", "classify", "measure")


def test_nothing_is_explained_unless_it_is_asked_for() -> None:
    parts = Parts()
    assert analyze(parts).overlays == ()
    assert not {"similarities", "predict"} & set(parts.asked())


def test_both_models_and_all_that_was_measured_are_explained() -> None:
    parts = Parts()
    analysis = analyze(parts, SKIN, OTHER, explain=True, patient=Patient(age=40))
    scores = {overlay.name: overlay.deletion_score for overlay in analysis.overlays}
    assert set(scores) == {"skin_mask", "melanin", "haemoglobin", "similar_cases", "lesion_class"}
    assert scores["similar_cases"] == 0
    assert scores["lesion_class"] is not None
    assert scores["skin_mask"] is None
    assert ("similarities", ("-5",)) in parts.calls
    assert ("predict", Patient(age=40)) in parts.calls
    assert {overlay.name for overlay in analysis.overlays if overlay.clinical} == {"lesion_class"}
    assert "explain" in analysis.timings_ms
    assert analysis.lesion == analyze(Parts(), SKIN, OTHER).lesion


def test_an_outline_runs_no_model_again() -> None:
    plain, outlined = Parts(), Parts()
    analyze(plain)
    assert [overlay.name for overlay in analyze(outlined, outline=True).overlays] == ["skin_mask"]
    assert outlined.asked() == plain.asked()


def test_only_what_answered_is_explained() -> None:
    names = {overlay.name for overlay in analyze(Parts(), modality="close_up", explain=True).overlays}
    assert "lesion_class" not in names


def test_an_explanation_stops_at_the_deadline() -> None:
    parts = Parts()
    with pytest.raises(DeadlineExceededError):
        parts.analyzer().analyze(CaseRequest((SKIN,), explain=True), StopsAt(len(STAGES) + 3))
    assert 0 < parts.asked().count("predict") < 8


def test_the_class_of_a_phone_photo_is_explained_by_its_own_model() -> None:
    parts = Parts(kind="lesion_close_up")
    overlays = {overlay.name: overlay for overlay in analyze(parts, explain=True).overlays}
    assert overlays["lesion_class"].clinical
    assert overlays["lesion_class"].deletion_score == 0
    assert "predict" not in parts.asked()

"""One case through the pipeline, with models that answer at once: what runs, what is told, and when it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ml.analysis.pipeline import CaseRequest
from ml.analysis.routing import UNLIKE_PHOTOS
from ml.analysis.summary import summarise
from ml.deadline import Deadline
from ml.errors import DeadlineExceededError, ModelError
from ml.values import ModelCard, Patient, Photo, Vectors
from tests.unit.ml.case import (
    CASE,
    CONDITION,
    FLAT,
    INFO,
    LESION,
    OTHER,
    SKIN,
    Parts,
    StopsAt,
    analyze,
    face,
    round_mesh,
)
from tests.unit.ml.skin_images import MONK, skin_patch

STAGES = ("measure", "faces", "encode", "search", "classify", "measure")


def test_the_analysis_holds_what_the_parts_answered() -> None:
    parts = Parts()
    analysis = analyze(parts, patient=Patient(age=40), k=7)
    assert analysis.photos == (SKIN,)
    assert analysis.similar_cases == (CASE,)
    assert analysis.conditions == ()  # the index holds no dermatoscopic photos
    assert analysis.lesion == LESION
    assert analysis.index == INFO
    assert analysis.models == (ModelCard("made", "1", "numpy", "numpy 1", "none"),)
    assert analysis.notes == ()
    assert ("search", ((1, 4), 7)) in parts.calls
    assert ("classify", (1, Patient(age=40))) in parts.calls


def test_notes_of_the_files_are_in_the_analysis_once() -> None:
    note = "The DICOM file has 2 frames. Only the first one was analysed."
    noted = replace(SKIN, notes=(note,))
    assert analyze(Parts(), noted, noted, SKIN).notes == (note,)


def test_the_lesion_classifier_is_thorough_only_where_that_is_asked() -> None:
    usual, thorough = Parts(), Parts()
    analyze(usual, full=True)
    analyze(thorough, thorough=True)
    assert "classify" in usual.asked()
    assert "classify, thorough" in thorough.asked()


def test_conditions_are_those_of_the_cases_that_are_similar() -> None:
    analysis = analyze(Parts(kind="close_up"))
    assert analysis.conditions == (CONDITION,)
    assert analysis.lesion is None


def test_every_stage_is_timed() -> None:
    timings = analyze(Parts()).timings_ms
    assert set(timings) == set(STAGES)
    assert all(value >= 0 for value in timings.values())


def test_several_views_are_encoded_and_classified_together_and_the_first_is_measured() -> None:
    parts = Parts()
    analysis = analyze(parts, SKIN, OTHER, FLAT)
    assert parts.calls == [
        ("faces", SKIN.rgb.shape),
        ("encode", 3),
        ("search", ((3, 4), 5)),
        ("classify", (3, Patient())),
    ]
    assert analysis.quality.usable
    assert analysis.photos == (SKIN, OTHER, FLAT)
    assert analysis.skin == analyze(Parts()).skin


def test_views_of_very_different_skin_are_questioned() -> None:
    light, dark = (Photo(skin_patch(MONK[tone], 160, 200), 200, 160, "JPEG") for tone in (0, 9))
    unlike, alike, unseen = (analyze(Parts(), *photos) for photos in ((light, dark), (light, light), (SKIN, FLAT)))
    assert UNLIKE_PHOTOS in unlike.notes
    assert UNLIKE_PHOTOS not in alike.notes + unseen.notes
    assert summarise(unlike).findings[0].text.code == "unlike_photos"


@pytest.mark.parametrize("stage", range(len(STAGES)))
def test_no_stage_starts_after_the_deadline(stage: int) -> None:
    parts = Parts()
    with pytest.raises(DeadlineExceededError) as caught:
        parts.analyzer().analyze(CaseRequest((SKIN,)), StopsAt(stage))
    assert caught.value.details["stage"] == STAGES[stage]
    assert parts.asked() == [name for name in STAGES[1:stage] if name != "measure"]


def test_a_deadline_that_holds_to_the_end() -> None:
    assert Parts().analyzer().analyze(CaseRequest((SKIN,)), StopsAt(len(STAGES))).lesion == LESION


def test_a_part_that_fails_is_not_hidden() -> None:
    class Failing(Parts):
        def embed(self, photos: Sequence[np.ndarray], deadline: Deadline) -> Vectors:
            raise ModelError("the model failed")

    with pytest.raises(ModelError):
        analyze(Failing())


def test_nothing_is_committed_to_before_it_was_calibrated() -> None:
    decision = analyze(Parts(kind="close_up")).decision
    assert (decision.kind, decision.set, decision.coverage) == ("abstain", (), None)
    assert decision.reasons == ("not_calibrated",)


def test_no_disease_is_named_from_generated_skin() -> None:
    analysis = analyze(Parts(info=replace(INFO, synthetic=True), kind="close_up"))
    assert analysis.conditions == ()
    assert analysis.decision.reasons == ("synthetic_index",)
    assert analysis.similar_cases == (CASE,)


@pytest.mark.parametrize("stated", [None, "dermatoscopic"])
def test_no_lesion_model_answers_a_photo_that_shows_nothing(stated: str | None) -> None:
    parts = Parts()
    analysis = analyze(parts, FLAT, modality=stated)
    assert analysis.lesion is None
    assert "classify" not in parts.asked()
    assert "shows too little" in analysis.notes[0]


def test_no_disease_is_named_from_a_photo_that_shows_nothing() -> None:
    analysis = analyze(Parts(), FLAT)
    assert not analysis.quality.usable
    assert analysis.conditions == ()
    assert analysis.decision.reasons == ("unusable_photo", "not_calibrated")


def test_every_reason_is_told() -> None:
    parts = Parts([face(0.9)], info=replace(INFO, synthetic=True), meshes=[round_mesh()])
    decision = analyze(parts, FLAT, modality="dermatoscopic").decision
    assert decision.reasons == ("synthetic_index", "unusable_photo", "modality_conflict")


def test_without_lesions_the_classifier_takes_no_part() -> None:
    parts = Parts()
    analysis = analyze(parts, lesions=False, modality="close_up", explain=True)
    assert (analysis.lesion, analysis.models, analysis.notes) == (None, (), ())
    assert not {"classify", "predict"} & set(parts.asked())

"""One case through the pipeline, with models that answer at once: what runs, what is told, and when it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ml.analyzer import Analyzer, CaseRequest
from ml.deadline import Deadline
from ml.errors import BackendError, DeadlineExceededError
from ml.faces import Face
from ml.loading import Models
from ml.values import (
    Analysis,
    Condition,
    IndexInfo,
    Lesion,
    ModelCard,
    Patient,
    Photo,
    Prediction,
    Retrieval,
    SimilarCase,
    Vectors,
)
from tests.unit.ml.skin_images import MONK, skin_patch

STAGES = ("measure", "faces", "encode", "search", "classify", "measure")
INFO = IndexInfo("made", "made by a test", False, 2, 3, 4, "2026-01-01", {"licence": "none"})
CASE = SimilarCase("-5", 0.9, ("/api/cases/-5/0",), {"Eczema": 1.0}, {}, {}, {}, ("arm",), None, None)
CONDITION = Condition("Eczema", "L30.9", 1.0, "high", ("-5",))
LESION = Lesion("made", (Prediction("nv", "Melanocytic nevus", "D22.9", 1.0),), 0.0, "none", "none")
SKIN = Photo(skin_patch(MONK[5], 160, 200), 800, 640, "JPEG")
OTHER = Photo(skin_patch(MONK[5], 160, 200, seed=1), 800, 640, "JPEG")
GREY = Photo(np.repeat(SKIN.rgb[..., :1], 3, axis=2), 800, 640, "JPEG")
FLAT = Photo(np.full((160, 200, 3), 90, np.uint8), 800, 640, "JPEG")


def face(score: float) -> Face:
    return Face((60.0, 40.0, 140.0, 120.0), np.zeros((6, 2), np.float32), score)


def round_mesh() -> np.ndarray:
    """468 landmarks on a circle in the middle of the photo."""
    turn = np.linspace(0, 2 * np.pi, 468, endpoint=False)
    return np.stack([100 + 40 * np.cos(turn), 80 + 40 * np.sin(turn), 0 * turn], axis=1).astype(np.float32)


class Parts:
    """Encoder, classifier, face detector and searcher in one, writing down who was asked for what."""

    version = "1"

    def __init__(self, faces: Sequence[Face] = (), *, info: IndexInfo = INFO, meshes: Sequence[Any] = ()) -> None:
        self.found = list(faces)
        self.info = info
        self.meshes = list(meshes)
        self.calls: list[tuple[str, Any]] = []
        self.spec = SimpleNamespace(name="made")

    def embed(self, photos: Sequence[np.ndarray], deadline: Deadline) -> Vectors:
        self.calls.append(("encode", len(photos)))
        return np.eye(len(photos), 4, dtype=np.float32)

    def search(self, views: Vectors, k: int) -> Retrieval:
        self.calls.append(("search", (views.shape, k)))
        return Retrieval((CASE,), (CONDITION,))

    def classify(self, photos: Sequence[np.ndarray], patient: Patient, deadline: Deadline) -> Lesion:
        self.calls.append(("classify", (len(photos), patient)))
        return LESION

    def similarities(self, views: Vectors, case_ids: Sequence[str]) -> np.ndarray:
        self.calls.append(("similarities", tuple(case_ids)))
        return np.full((len(views), len(case_ids)), 0.5, np.float32)

    def probabilities(self, photos: Sequence[np.ndarray], patient: Patient, deadline: Deadline) -> np.ndarray:
        deadline.check("classify")
        self.calls.append(("probabilities", patient))
        return np.array([np.eye(7)[5] * photo.mean() / 255 for photo in photos], np.float32)

    def detect(self, photo: np.ndarray, small: np.ndarray) -> list[Face]:
        self.calls.append(("faces", photo.shape))
        return self.found

    def landmarks(self, photo: np.ndarray, where: Face) -> np.ndarray | None:
        self.calls.append(("landmarks", where.score))
        return self.meshes.pop(0)

    def analyzer(self, *, faces: bool = True, measurements: bool = True, lesions: bool = True) -> Analyzer:
        cards = (ModelCard("made", "1", "numpy", "numpy 1", "none"),)
        models = Models(self, self, self if faces else None, cards)  # type: ignore[arg-type]
        return Analyzer(models, self, measurements=measurements, lesions=lesions)

    def asked(self) -> list[str]:
        return [name for name, _ in self.calls]


def analyze(
    parts: Parts,
    *photos: Photo,
    faces: bool = True,
    measurements: bool = True,
    lesions: bool = True,
    **request: Any,
) -> Analysis:
    analyzer = parts.analyzer(faces=faces, measurements=measurements, lesions=lesions)
    return analyzer.analyze(CaseRequest(photos or (SKIN,), **request), Deadline(60))


class StopsAt(Deadline):
    """A deadline that passes just before its ``n``-th check."""

    def __init__(self, n: int) -> None:
        super().__init__(300)
        self._left = n

    def remaining(self) -> float:
        self._left -= 1
        return 1.0 if self._left >= 0 else 0.0


def test_the_analysis_holds_what_the_parts_answered() -> None:
    parts = Parts()
    analysis = analyze(parts, patient=Patient(age=40), k=7)
    assert analysis.photos == (SKIN,)
    assert analysis.similar_cases == (CASE,)
    assert analysis.conditions == (CONDITION,)
    assert analysis.lesion == LESION
    assert analysis.index == INFO
    assert analysis.models == (ModelCard("made", "1", "numpy", "numpy 1", "none"),)
    assert analysis.notes == ()
    assert ("search", ((1, 4), 7)) in parts.calls
    assert ("classify", (1, Patient(age=40))) in parts.calls


def test_skin_is_measured_and_every_stage_is_timed() -> None:
    analysis = analyze(Parts())
    assert analysis.quality.usable
    assert analysis.skin.tone is not None
    assert analysis.skin.tone.ita_deg is not None
    assert {m.name for m in analysis.skin.measurements} >= {"lightness", "redness"}
    assert set(analysis.timings_ms) == set(STAGES)
    assert all(value >= 0 for value in analysis.timings_ms.values())


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


def test_measurements_can_be_switched_off() -> None:
    analysis = analyze(Parts(), measurements=False)
    assert analysis.skin.tone is None
    assert analysis.skin.measurements == ()


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
            raise BackendError("the model failed")

    with pytest.raises(BackendError):
        analyze(Failing())


# what is decided


def test_nothing_is_committed_to_before_it_was_calibrated() -> None:
    decision = analyze(Parts()).decision
    assert (decision.kind, decision.set, decision.coverage) == ("abstain", (), None)
    assert decision.reasons == ("not_calibrated",)


def test_no_disease_is_named_from_generated_skin() -> None:
    analysis = analyze(Parts(info=replace(INFO, synthetic=True)))
    assert analysis.conditions == ()
    assert analysis.decision.reasons == ("synthetic_index",)
    assert analysis.similar_cases == (CASE,)
    assert analysis.lesion == LESION


def test_no_disease_is_named_from_a_photo_that_shows_nothing() -> None:
    analysis = analyze(Parts(), FLAT)
    assert not analysis.quality.usable
    assert analysis.conditions == ()
    assert analysis.decision.reasons == ("unusable_photo", "not_calibrated")


def test_every_reason_is_told() -> None:
    parts = Parts([face(0.9)], info=replace(INFO, synthetic=True), meshes=[None])
    decision = analyze(parts, FLAT, modality="dermatoscopic").decision
    assert decision.reasons == ("synthetic_index", "unusable_photo", "modality_conflict")


def test_without_lesions_the_classifier_takes_no_part() -> None:
    parts = Parts()
    analysis = analyze(parts, lesions=False, modality="close_up", explain=True)
    assert (analysis.lesion, analysis.models, analysis.notes) == (None, (), ())
    assert not {"classify", "probabilities"} & set(parts.asked())


# explanations


def test_nothing_is_explained_unless_it_is_asked_for() -> None:
    parts = Parts()
    assert analyze(parts).overlays == ()
    assert not {"similarities", "probabilities"} & set(parts.asked())


def test_both_models_and_all_that_was_measured_are_explained() -> None:
    parts = Parts()
    analysis = analyze(parts, SKIN, OTHER, explain=True, patient=Patient(age=40))
    scores = {overlay.name: overlay.deletion_score for overlay in analysis.overlays}
    assert set(scores) == {"skin_mask", "melanin", "haemoglobin", "similar_cases", "lesion_class"}
    assert scores["similar_cases"] == 0
    assert scores["lesion_class"] is not None
    assert scores["skin_mask"] is None
    assert ("similarities", ("-5",)) in parts.calls
    assert ("probabilities", Patient(age=40)) in parts.calls
    assert "explain" in analysis.timings_ms
    assert analysis.lesion == analyze(Parts(), SKIN, OTHER).lesion


def test_only_what_answered_is_explained() -> None:
    names = {overlay.name for overlay in analyze(Parts(), modality="close_up", explain=True).overlays}
    assert "lesion_class" not in names


def test_an_explanation_stops_at_the_deadline() -> None:
    parts = Parts()
    with pytest.raises(DeadlineExceededError):
        parts.analyzer().analyze(CaseRequest((SKIN,), explain=True), StopsAt(len(STAGES) + 3))
    assert 0 < parts.asked().count("probabilities") < 8


# what kind of photo it is


@pytest.mark.parametrize("modality", ["face", "close_up"])
def test_the_dermatoscopic_classifier_does_not_answer_for_other_photos(modality: str) -> None:
    parts = Parts()
    analysis = analyze(parts, modality=modality)
    assert analysis.lesion is None
    assert "classify" not in parts.asked()
    assert len(analysis.notes) == 1
    assert "dermatoscopic" in analysis.notes[0]
    assert analysis.modality.stated == modality


def test_a_face_that_was_found_is_a_face() -> None:
    analysis = analyze(Parts([face(0.7)], meshes=[None]))
    assert (analysis.modality.label, analysis.modality.confidence, analysis.modality.stated) == ("face", 0.7, None)
    assert analysis.lesion is None


def test_a_dermatoscope_is_believed_unless_a_face_is_plain_to_see() -> None:
    assert analyze(Parts([face(0.6)], meshes=[None]), modality="dermatoscopic").lesion == LESION
    conflict = analyze(Parts([face(0.95)], meshes=[None]), modality="dermatoscopic")
    assert conflict.lesion is None
    assert "modality_conflict" in conflict.decision.reasons
    assert (conflict.modality.label, conflict.modality.stated) == ("face", "dermatoscopic")


def test_a_photo_without_skin_is_neither_measured_nor_looked_up() -> None:
    parts = Parts()
    analysis = analyze(parts, GREY)
    assert parts.asked() == ["faces"]
    assert analysis.modality.label == "not_skin"
    assert analysis.decision.kind == "abstain"
    assert "not_skin" in analysis.decision.reasons
    assert (analysis.lesion, analysis.conditions, analysis.similar_cases) == (None, (), ())
    assert (analysis.skin.tone, analysis.skin.measurements, analysis.skin.zones) == (None, (), None)
    assert "No skin" in analysis.notes[0]


def test_skin_that_was_stated_where_none_can_be_seen_is_a_conflict() -> None:
    analysis = analyze(Parts(), GREY, modality="close_up")
    assert (analysis.modality.label, analysis.modality.stated) == ("not_skin", "close_up")
    assert "modality_conflict" in analysis.decision.reasons
    assert analysis.conditions == ()


# faces


def test_zones_are_null_where_faces_are_not_looked_for() -> None:
    parts = Parts([face(0.9)])
    analysis = analyze(parts, faces=False)
    assert analysis.skin.zones is None
    assert analysis.modality.label != "face"
    assert "faces" not in parts.asked()


def test_zones_are_empty_where_there_is_no_face() -> None:
    assert analyze(Parts()).skin.zones == ()


def test_the_first_face_whose_landmarks_can_be_placed_is_zoned() -> None:
    parts = Parts([face(0.9), face(0.8), face(0.7)], meshes=[None, round_mesh()])
    zones = analyze(parts).skin.zones
    assert zones
    assert [call for call in parts.calls if call[0] == "landmarks"] == [("landmarks", 0.9), ("landmarks", 0.8)]
    assert all(zone.measurements for zone in zones)


def test_a_portrait_is_asked_for_no_lesion_and_a_close_up_on_a_face_is() -> None:
    def lesion_measures(modality: str | None) -> list[str]:
        parts = Parts([face(0.9)], meshes=[round_mesh()])
        found = analyze(parts, modality=modality).skin.measurements
        return [m.name for m in found if "lesion" in m.name or "lesion" in m.region]

    assert lesion_measures(None) == lesion_measures("face") == []
    assert "lesion_area" in lesion_measures("close_up")


def test_zones_are_placed_even_where_measurements_are_off() -> None:
    zones = analyze(Parts([face(0.9)], meshes=[round_mesh()]), measurements=False).skin.zones
    assert zones
    assert not any(zone.measurements for zone in zones)


def test_of_several_faces_the_answer_says_how_many_and_whose_zones_it_shows() -> None:
    notes = analyze(Parts([face(0.9), face(0.8)], meshes=[round_mesh()])).notes
    assert [note for note in notes if note.startswith("2 faces were found")]
    assert not [note for note in analyze(Parts([face(0.9)], meshes=[round_mesh()])).notes if "faces" in note]

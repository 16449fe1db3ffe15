"""What is measured of a case, with a face's zones and without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from ml.analysis.pipeline import Analyzer, CaseRequest
from ml.analysis.scores import Population
from ml.deadline import Deadline
from ml.values import Measurement, Photo
from tests.unit.ml.case import GREY, INFO, SKIN, Parts, analyze, face, round_mesh


def test_skin_is_measured() -> None:
    analysis = analyze(Parts())
    assert analysis.quality.usable
    assert analysis.skin.tone is not None
    assert analysis.skin.tone.group is not None
    assert analysis.skin.measurements


def test_measurements_can_be_switched_off() -> None:
    analysis = analyze(Parts(), measurements=False)
    assert analysis.skin.tone is None
    assert analysis.skin.measurements == ()


@pytest.mark.parametrize("photo", [GREY, replace(SKIN, true_colours=False)], ids=["black and white", "unknown"])
def test_nothing_is_measured_where_colours_say_nothing(photo: Photo) -> None:
    analysis = analyze(Parts([face(0.9)], meshes=[round_mesh()], kind="close_up"), photo)
    assert not analysis.quality.colours
    assert analysis.skin.tone is None
    assert analysis.skin.measurements == ()
    assert analysis.skin.zones
    assert all(zone.measurements == () for zone in analysis.skin.zones)
    assert analysis.lesion is None
    assert analysis.conditions == ()
    assert "no_colours" in analysis.decision.reasons


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
        parts = Parts([face(0.9)], meshes=[round_mesh()], kind="not_skin")
        found = analyze(parts, modality=modality).skin.measurements
        return [m.name for m in found if "lesion" in m.name or "lesion" in m.region]

    assert lesion_measures(None) == lesion_measures("face") == []
    assert "lesion_asymmetry" in lesion_measures("close_up")


def test_zones_are_placed_even_where_measurements_are_off() -> None:
    zones = analyze(Parts([face(0.9)], meshes=[round_mesh()]), measurements=False).skin.zones
    assert zones
    assert not any(zone.measurements for zone in zones)


def test_no_tone_is_told_of_a_face_that_was_not_found() -> None:
    for looked_for in (True, False):
        skin = analyze(Parts(), faces=looked_for, modality="face").skin
        assert not skin.zones
        assert skin.tone is not None
        assert (skin.tone.group, skin.tone.group_range, skin.tone.ita_deg) == (None, None, None)
        assert "face was not found" in skin.tone.caveat
    told = analyze(Parts([face(0.9)], meshes=[round_mesh()]), modality="face").skin.tone
    assert told is not None
    assert told.group is not None


def test_of_several_faces_the_answer_says_how_many_and_whose_zones_it_shows() -> None:
    notes = analyze(Parts([face(0.9), face(0.8)], meshes=[round_mesh()])).notes
    assert [note for note in notes if note.startswith("2 faces were found")]
    assert not [note for note in analyze(Parts([face(0.9)], meshes=[round_mesh()])).notes if "faces" in note]


class AlwaysHalf(Population):
    """A population of which every value is the median."""

    def scored(self, measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
        return tuple(replace(one, score=50.0) for one in measurements)


@pytest.mark.parametrize(
    ("kind", "of_index", "scores"),
    [
        ("close_up", "clinical", True),
        ("dermatoscopic", "clinical", False),
        ("dermatoscopic", "dermatoscopic", True),
        ("close_up", "dermatoscopic", False),
    ],
)
def test_scores_are_of_a_population_of_the_same_kind_of_photo(kind: str, of_index: str, scores: bool) -> None:
    parts = Parts(info=replace(INFO, photo_kind=of_index), kind=kind)
    population = AlwaysHalf(1, {})
    found = Analyzer(parts.models(), parts, population=population).analyze(CaseRequest((SKIN,)), Deadline(60))
    assert {one.score for one in found.skin.measurements} == {50.0 if scores else None}

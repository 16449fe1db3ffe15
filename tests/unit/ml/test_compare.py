"""The comparison of two photos, with models that answer at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml.analysis.compare import Comparer
from ml.analysis.comparison import Comparison, PairRequest
from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from ml.models.face_view import view_face
from ml.models.faces import MIRRORED
from ml.values import RGB, Photo
from tests.unit.ml.case import FLAT, GREY, Parts, StopsAt, face, round_mesh
from tests.unit.ml.skin_images import disc, with_lesion
from tests.unit.ml.test_alignment import mottled, moved


def photo(rgb: RGB) -> Photo:
    return Photo(rgb, rgb.shape[1], rgb.shape[0], "PNG")


def compare(parts: Parts, before: Photo, after: Photo, *, clinical: bool = True, **request: Any) -> Comparison:
    comparer = Comparer(parts.analyzer(), clinical=clinical)
    return comparer.compare(PairRequest(before, after, **request), Deadline(60))


BEFORE = photo(with_lesion(mottled(1), disc(radius=60), (0.45, 0.3, 0.25)))
AGAIN = photo(moved(BEFORE.rgb)[0])
LARGER = photo(moved(with_lesion(mottled(1), disc(radius=75), (0.45, 0.3, 0.25)))[0])
ELSEWHERE = photo(mottled(2))


def test_a_photo_taken_again_has_no_change() -> None:
    found = compare(Parts(kind="lesion_close_up"), BEFORE, AGAIN, interval_days=30)
    assert (found.same_place.verdict, found.same_place.method) == ("same", "registration")
    assert {one.code for one in found.measures} >= {"lesion_area", "redness_contrast", "redness_difference"}
    assert {one.change for one in found.measures} == {"no_detectable_change"}
    assert found.interval_days == 30
    assert found.aligned is None


def test_a_larger_lesion_is_found_and_named() -> None:
    found = compare(Parts(kind="lesion_close_up"), BEFORE, LARGER)
    (area,) = (one for one in found.measures if one.code == "lesion_area")
    assert area.change == "higher"
    assert "area of the lesion" in found.summary.headline


def test_nothing_of_a_lesion_is_compared_without_clinical_measures() -> None:
    found = compare(Parts(kind="lesion_close_up"), BEFORE, LARGER, clinical=False)
    assert [one.code for one in found.measures] == ["redness_contrast"]
    assert "lesion" not in found.summary.headline


def test_on_dark_skin_it_is_said_that_redness_is_missed() -> None:
    dark = photo(with_lesion((mottled(1) * 0.35).astype(np.uint8), disc(radius=60), (0.45, 0.3, 0.25)))
    assert any("dark skin" in note for note in compare(Parts(kind="lesion_close_up"), dark, dark).notes)
    assert compare(Parts(kind="lesion_close_up"), BEFORE, AGAIN).notes == ()


def test_another_place_is_not_compared() -> None:
    found = compare(Parts(kind="lesion_close_up"), BEFORE, ELSEWHERE)
    assert found.same_place.verdict == "unsure"
    assert found.measures
    assert {one.change for one in found.measures} == {"not_comparable"}
    assert {one.reason.code for one in found.measures if one.reason} == {"place_unsure"}


def test_a_confirmed_place_is_compared_without_alignment() -> None:
    found = compare(Parts(kind="lesion_close_up"), BEFORE, photo(moved(mottled(9))[0]), confirmed=True)
    assert found.same_place.verdict == "unsure"
    assert found.same_place.reasons[-1].code == "confirmed"
    assert "place_unsure" not in {one.reason.code for one in found.measures if one.reason}
    assert "lesion_area" not in {one.code for one in found.measures}


@pytest.mark.parametrize("other", [GREY, FLAT])
def test_a_photo_in_which_nothing_is_measured_is_not_compared(other: Photo) -> None:
    found = compare(Parts(kind="close_up"), BEFORE, other)
    assert all(one.change == "not_comparable" for one in found.measures)
    assert found.summary.headline


def test_a_photo_without_colours_is_not_compared() -> None:
    grey = photo(np.repeat(BEFORE.rgb[..., 1:2], 3, axis=2))
    found = compare(Parts(kind="lesion_close_up"), BEFORE, grey)
    assert found.measures
    assert {one.reason.code for one in found.measures if one.reason} == {"no_colours"}


def test_no_skin_is_said() -> None:
    found = compare(Parts(kind="not_skin"), BEFORE, AGAIN)
    assert (found.same_place.method, found.same_place.reasons[0].code) == ("none", "nothing_seen")
    assert found.measures == ()


def test_both_photos_are_shown_in_one_frame() -> None:
    found = compare(Parts(kind="lesion_close_up"), BEFORE, AGAIN, explain=True)
    assert found.aligned is not None
    assert found.aligned.before.shape == found.aligned.after.shape == BEFORE.rgb.shape
    inside = (slice(100, 280), slice(120, 390))
    gap = found.aligned.before[inside].astype(float) - found.aligned.after[inside]
    assert np.abs(gap).mean() < 6
    assert compare(Parts(kind="lesion_close_up"), BEFORE, ELSEWHERE, explain=True).aligned is None


def test_large_photos_are_shown_smaller() -> None:
    large = photo(np.repeat(np.repeat(BEFORE.rgb, 3, axis=0), 3, axis=1))
    found = compare(Parts(kind="lesion_close_up"), large, AGAIN, explain=True)
    assert found.aligned is not None
    assert found.aligned.before.shape == (768, 1024, 3)
    gap = found.aligned.before[200:560, 240:780].astype(float) - found.aligned.after[200:560, 240:780]
    assert np.abs(gap).mean() < 8


@pytest.mark.parametrize("stage", range(7))
def test_no_stage_starts_after_the_deadline(stage: int) -> None:
    parts = Parts(kind="lesion_close_up")
    comparer = Comparer(parts.analyzer())
    with pytest.raises(DeadlineExceededError):
        comparer.compare(PairRequest(BEFORE, AGAIN), StopsAt(stage))


FACE = {"faces": [face(0.9)], "meshes": [round_mesh(), round_mesh()]}


SKIN_OF_A_FACE = mottled(3)[:160, :200]


def test_a_face_taken_again_is_the_same() -> None:
    brighter = np.clip(SKIN_OF_A_FACE * 1.05, 0, 255).astype(np.uint8)
    found = compare(Parts(**FACE), photo(SKIN_OF_A_FACE), photo(brighter), explain=True)
    assert (found.same_place.verdict, found.same_place.reasons[0].code) == ("same", "texture_agrees")
    assert found.aligned is not None


def test_nobody_is_recognised_by_how_a_face_looks() -> None:
    before, after = photo(SKIN_OF_A_FACE), photo(mottled(4)[:160, :200])
    found = compare(Parts(**FACE), before, after)
    assert (found.same_place.verdict, found.same_place.confidence) == ("unsure", None)
    assert found.same_place.reasons[0].code == "faces_unsure"
    assert {one.change for one in found.measures} <= {"not_comparable"}
    confirmed = compare(Parts(**FACE), before, after, confirmed=True)
    assert confirmed.same_place.reasons[-1].code == "confirmed"


def test_a_face_is_not_compared_with_other_skin() -> None:
    parts = Parts(faces=[], meshes=[], kind="close_up")
    found = [[face(0.9)], []]

    def detect(*arguments: Any) -> Any:
        return found.pop(0) if found else []

    parts.detect = detect  # type: ignore[method-assign]
    parts.meshes = [round_mesh()]
    answer = compare(parts, photo(mottled(3)[:160, :200]), photo(mottled(4)[:160, :200]))
    assert (answer.same_place.verdict, answer.same_place.reasons[0].code) == ("unsure", "no_face")


def test_the_turn_and_the_distance_of_a_face_are_told() -> None:
    rng = np.random.default_rng(1)
    mesh = rng.normal(0, 30, (468, 3))
    mesh[:, 0] = np.abs(mesh[:, 0]) * np.where(np.arange(468) < MIRRORED, -1, 1)
    mesh = (mesh + mesh[MIRRORED] * (-1, 1, 1)) / 2
    mesh[10], mesh[152] = (0, -60, 0), (0, 60, 0)
    turn = np.radians(15)
    about = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    place = np.array((100, 80, 0))
    one = view_face(SKIN_OF_A_FACE, np.asarray(mesh + place, np.float32))
    other = view_face(SKIN_OF_A_FACE, np.asarray(1.5 * (mesh @ about.T) + place, np.float32))
    assert abs(one.yaw) < 1
    assert abs(other.yaw) == pytest.approx(15, abs=2)
    assert other.length / one.length == pytest.approx(1.5, rel=0.01)

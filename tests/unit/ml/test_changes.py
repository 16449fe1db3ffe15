"""What is said of each measure of two photos, and of both together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ml.analysis.change_words import summary_of
from ml.analysis.changes import Conditions, compared
from ml.analysis.comparison import ComparedMeasure, Reason, SamePlace, ViewedPhoto
from ml.analysis.same_place import pair_limits
from ml.skin.aligned import LESION_AREA, REDNESS_CONTRAST, PairedValue
from ml.skin.catalogue import CATALOGUE
from ml.skin.lesion import DIFFERENCES
from ml.values import Measurement, Modality, Photo, Problem, Quality

PHOTO = Photo(np.zeros((8, 8, 3), np.uint8), 8, 8, "PNG")
SAME = SamePlace("same", 0.9, "registration")


def view(*measurements: Measurement, problems: tuple[str, ...] = ()) -> ViewedPhoto:
    quality = Quality(True, 90.0, tuple(Problem(code, "", "") for code in problems))
    return ViewedPhoto(PHOTO, quality, Modality("close_up", None, None), measurements)


def value(name: str, of: float | None, uncertainty: float = 3.0, region: str = "face") -> Measurement:
    return CATALOGUE[name].measurement(region, of, uncertainty)


def only(name: str, before: ViewedPhoto, after: ViewedPhoto, **conditions: Any) -> ComparedMeasure:
    found = compared(before, after, Conditions(**conditions), pair_limits())
    (one,) = (measure for measure in found if measure.code == name)
    return one


@pytest.mark.parametrize(
    ("after", "change"),
    [(16.0, "no_detectable_change"), (14.1, "no_detectable_change"), (15.1, "higher"), (4.9, "lower")],
)
def test_a_change_is_a_difference_beyond_its_uncertainty(after: float, change: str) -> None:
    """Uncertainties of 3 and 4 make 5."""
    first, second = value("evenness", 10.0, 3.0), value("evenness", after, 4.0)
    found = only("evenness", view(first), view(second), distances=1.0, turned=0.0)
    expected = "higher" if after > 15 else change
    assert (found.change, found.uncertainty) == (expected, 5.0)
    assert found.difference == pytest.approx(after - 10)


def test_the_place_decides_for_all_measures() -> None:
    why = Reason("place_unsure", "")
    found = only("evenness", view(value("evenness", 1.0)), view(value("evenness", 99.0)), refused=why)
    assert (found.change, found.reason, found.difference, found.uncertainty) == ("not_comparable", why, None, None)
    assert (found.before, found.after) == (1.0, 99.0)


def test_a_measure_of_one_photo_only_is_not_comparable() -> None:
    found = only("evenness", view(value("evenness", 1.0)), view(value("evenness", None)), distances=1.0)
    assert found.reason is not None
    assert (found.change, found.reason.code, found.after) == ("not_comparable", "not_measured", None)


def test_a_measure_of_neither_photo_is_left_out() -> None:
    nothing = view(value("evenness", None))
    assert compared(nothing, nothing, Conditions(), pair_limits()) == ()


@pytest.mark.parametrize(
    ("name", "problems", "conditions", "code"),
    [
        ("roughness", ("too_blurry",), {"distances": 1.0}, "unsharp"),
        ("zone_redness_difference", ("too_dark",), {}, "other_light"),
        ("zone_redness_difference", (), {"light_apart": 1.5}, "other_light"),
        ("zone_redness_difference", (), {"turned": 30.0}, "other_view"),
        ("roughness", (), {"distances": 2.5, "turned": 0.0}, "other_distance"),
        ("roughness", (), {"distances": 1.5}, "other_distance"),
        ("roughness", (), {}, "distance_unknown"),
        ("roughness", ("too_dark",), {"distances": 1.5, "turned": 0.0, "light_apart": 1.5}, None),
        ("zone_redness_difference", ("too_blurry",), {"light_apart": 0.5, "turned": 10.0}, None),
    ],
)
def test_conditions_that_hinder_a_measure(
    name: str, problems: tuple[str, ...], conditions: dict[str, Any], code: str | None
) -> None:
    photos = view(value(name, 1.0)), view(value(name, 1.0), problems=problems)
    found = only(name, *photos, **conditions)
    assert (found.reason and found.reason.code) == code


def test_values_of_aligned_photos_replace_those_of_each_photo() -> None:
    name, region = "redness_difference", "lesion_minus_surrounding"
    photos = [view(value(name, of, region=region)) for of in (10.0, 30.0)]
    found = only(name, *photos, paired={name: PairedValue(11.0, 11.5)}, light_apart=0.0)
    assert (found.before, found.after, found.change) == (11.0, 11.5, "no_detectable_change")
    assert found.uncertainty == pair_limits()[name]["same_light"]


def test_other_light_makes_values_of_aligned_photos_less_certain() -> None:
    name = REDNESS_CONTRAST
    same, other = (
        only(name, view(), view(), paired={name: PairedValue(1.0, 2.0)}, light_apart=apart) for apart in (0.0, 0.5)
    )
    assert other.uncertainty is not None
    assert same.uncertainty is not None
    assert other.uncertainty > same.uncertainty


def test_every_measure_of_aligned_photos_has_limits() -> None:
    assert set(pair_limits()) == {one.name for one in DIFFERENCES} | {LESION_AREA, REDNESS_CONTRAST}
    assert all(limit["same_light"] > 0 and limit["for_light"] > 0 for limit in pair_limits().values())


def measure(label: str, change: Any, region: str = "face") -> ComparedMeasure:
    return ComparedMeasure("code", label, "1", region, "", 1.0, 2.0, 1.0, 0.5, change)


def test_the_summary_names_what_changed() -> None:
    found = summary_of(
        SAME,
        [measure("Redness", "higher", "left_cheek"), measure("Lines", "lower"), measure("Spots", "lower")],
        confirmed=False,
    )
    assert found.headline == (
        "Higher than in the first photo: redness (left cheek). Lower than in the first photo: lines; spots."
    )


def test_a_long_list_of_changes_is_cut() -> None:
    found = summary_of(SAME, [measure(f"Measure {n}", "higher") for n in range(5)], confirmed=False)
    assert found.headline.endswith("measure 2 and 2 more.")


def test_no_change_is_no_all_clear() -> None:
    found = summary_of(SAME, [measure("Redness", "no_detectable_change")], confirmed=False)
    assert "Small changes may be missed" in found.headline
    assert "doctor" in found.next_step


@pytest.mark.parametrize(
    ("place", "confirmed", "says"),
    [
        (SamePlace("unsure", None, "registration"), False, "not certain"),
        (SamePlace("unsure", None, "registration"), True, "No change"),
        (SamePlace("unsure", None, "none", (Reason("nothing_seen", "No skin."),)), True, "No skin."),
    ],
)
def test_the_summary_says_what_is_unsure(place: SamePlace, confirmed: bool, says: str) -> None:
    found = summary_of(place, [measure("Redness", "no_detectable_change")], confirmed=confirmed)
    assert says in found.headline
    assert found.next_step


def test_nothing_comparable_is_said() -> None:
    found = summary_of(SAME, [measure("Redness", "not_comparable")], confirmed=False)
    assert found.headline == "Nothing could be compared in these two photos."

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab

from ml.skin.frame import MIN_COVERAGE, Frame, Part
from ml.skin.regions import Region
from ml.skin.tone import (
    TypologyAngle,
    category,
    fitzpatrick,
    monk,
    own_colour,
    photographed,
    tone_at,
    tone_of,
    typology_angle,
)
from ml.values import RGB, Mask, Tone
from tests.unit.ml.skin_images import MONK, flat

WHOLE = np.ones((64, 64), np.bool_)


def estimate(photo: RGB, mask: Mask) -> Tone:
    part = Part(Frame(photo), "skin", mask, Region(mask, MIN_COVERAGE))
    angle = photographed(part)
    return tone_of(part) if angle is None else tone_at(angle)


@pytest.mark.parametrize("swatch", MONK)
def test_the_angle_of_a_flat_patch_is_the_closed_formula(swatch: str) -> None:
    patch = flat(swatch)
    lightness, _, b = rgb2lab(patch[:1, :1])[0, 0]
    expected = np.degrees(np.arctan2(lightness - 50, b))
    assert estimate(patch, WHOLE).ita_deg == pytest.approx(expected, abs=0.05)


def test_the_monk_swatches_estimate_in_order_and_within_one_step() -> None:
    found = [estimate(flat(swatch), WHOLE).monk_estimate for swatch in MONK]
    steps = [tone for tone in found if tone is not None]
    assert steps == sorted(steps)
    assert all(abs(step - tone) <= 1 for tone, step in enumerate(steps, start=1))
    assert len(steps) == 10


@pytest.mark.parametrize("swatch", MONK)
def test_a_range_holds_its_estimate_and_a_neighbour(swatch: str) -> None:
    found = estimate(flat(swatch), WHOLE)
    for value, ends, most in (
        (found.monk_estimate, found.monk_range, 10),
        (found.fitzpatrick_estimate, found.fitzpatrick_range, 6),
    ):
        assert value is not None
        assert ends == (max(1, value - 1), min(most, value + 1))


def test_light_that_is_in_doubt_widens_the_range_to_its_side() -> None:
    found = tone_at(TypologyAngle(35.0, 60.0, 14.3, None), TypologyAngle(-60.0, 20.0, 17.3, None))
    assert (found.ita_deg, found.ita_corrected_deg) == (35.0, -60.0)
    assert (found.monk_estimate, found.monk_range) == (5, (4, 7))
    assert (found.fitzpatrick_estimate, found.fitzpatrick_range) == (3, (2, 5))


def test_without_an_angle_there_is_no_range() -> None:
    found = estimate(flat(MONK[3]), np.zeros((64, 64), np.bool_))
    assert (found.ita_corrected_deg, found.fitzpatrick_range, found.monk_range) == (None, None, None)


@pytest.mark.parametrize(
    ("ita", "name", "fitzpatrick_type"),
    [
        (60.0, "very light", 1),
        (55.0, "light", 2),
        (45.0, "light", 2),
        (41.0, "intermediate", 3),
        (28.0, "tan", 4),
        (15.0, "tan", 5),
        (10.0, "brown", 6),
        (-29.9, "brown", 6),
        (-30.0, "dark", 6),
    ],
)
def test_categories_and_types_at_their_cuts(ita: float, name: str, fitzpatrick_type: int) -> None:
    assert category(ita) == name
    assert fitzpatrick(ita) == fitzpatrick_type


@given(st.floats(-90, 90), st.floats(-90, 90), st.floats(0, 100))
def test_a_darker_angle_never_estimates_lighter(one: float, other: float, lightness: float) -> None:
    light, dark = max(one, other), min(one, other)
    assert fitzpatrick(light) <= fitzpatrick(dark)
    assert 1 <= monk(light, lightness) <= monk(dark, lightness) <= 10


def test_outliers_do_not_move_the_angle() -> None:
    patch = flat(MONK[4])
    spotted = patch.copy()
    spotted[:10, :10] = 255
    spotted[-10:, -10:] = (40, 20, 20)
    clean, found = estimate(patch, WHOLE).ita_deg, estimate(spotted, WHOLE).ita_deg
    assert clean == found


@pytest.mark.parametrize(("own", "patch"), [(MONK[8], MONK[4]), (MONK[6], MONK[3]), (MONK[3], MONK[7])])
def test_a_large_patch_in_the_middle_does_not_decide_the_tone(own: str, patch: str) -> None:
    photo = flat(own)
    photo[10:-10, 8:-8] = flat(patch)[10:-10, 8:-8]  # over half of the photo
    assert estimate(photo, WHOLE).ita_deg == estimate(flat(own), WHOLE).ita_deg


def test_light_that_falls_off_leaves_the_skin_one_colour() -> None:
    lightness = np.tile(np.linspace(40, 75, 64, dtype=np.float32), (64, 1))
    assert own_colour(lightness, WHOLE).all()


@pytest.mark.parametrize("mask", [np.zeros((64, 64), np.bool_), np.eye(64, dtype=np.bool_)])
def test_too_little_skin_gives_no_estimate_and_says_so(mask: Mask) -> None:
    tone = estimate(flat(MONK[4]), mask)
    assert (tone.ita_deg, tone.ita_category, tone.fitzpatrick_estimate, tone.monk_estimate) == (None,) * 4
    assert "little skin" in tone.caveat


def test_skin_without_yellow_gives_no_estimate_and_says_so() -> None:
    tone = estimate(np.full((64, 64, 3), (200, 160, 190), np.uint8), WHOLE)
    assert tone.ita_deg is None
    assert tone.monk_estimate is None
    assert "neutral light" in tone.caveat


def test_the_caveat_names_the_light_and_the_cut_offs() -> None:
    caveat = estimate(flat(MONK[4]), WHOLE).caveat
    assert "light" in caveat
    assert "Kinyanjui and Groh" in caveat


def test_an_uneven_patch_has_an_uncertain_angle() -> None:
    ramp = np.linspace(60, 70, 64, dtype=np.float32)
    angle = typology_angle(np.tile(ramp, (64, 1)), np.full((64, 64), 15, np.float32), Region(WHOLE))
    assert angle is not None
    assert angle.uncertainty is not None
    assert 0 < angle.uncertainty < 5

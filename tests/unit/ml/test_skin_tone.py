from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab

import ml.skin.tone
from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.frame import MIN_COVERAGE, Frame, Part, Subject
from ml.skin.regions import Region
from ml.skin.tone import (
    GROUPS,
    are_alike,
    category,
    colour_angle,
    fitzpatrick,
    monk,
    photographed,
    tone_of,
    typology_angle,
)
from ml.values import RGB, Mask, Tone
from tests.unit.ml.skin_images import MONK, flat, skin_patch

WHOLE = np.ones((64, 64), np.bool_)


def subject(photo: RGB, mask: Mask | None = None, *, portrait: bool = False) -> Subject:
    """``photo``, of which ``mask`` is skin; without a mask, the service finds the skin."""
    found = Subject(Frame(photo), portrait=portrait)
    if mask is not None:
        vars(found)["whole"] = Part(found.frame, "skin", mask, Region(mask, MIN_COVERAGE))
    return found


def estimate(photo: RGB, mask: Mask) -> Tone:
    return tone_of(subject(photo, mask), full=True)


def test_a_standard_answer_has_a_group_and_a_range_and_no_degrees() -> None:
    tone = tone_of(subject(skin_patch(MONK[4])))
    assert replace(tone, group=None, group_range=None) == Tone(tone.caveat)
    assert tone.group in GROUPS
    assert tone.group_range is not None
    assert "in this photo" in tone.caveat
    assert "another photo of the same person" in tone.caveat


def test_full_detail_has_the_estimates_and_says_that_they_are_no_typing() -> None:
    tone = tone_of(subject(skin_patch(MONK[4])), full=True)
    assert None not in (
        tone.ita_deg,
        tone.ita_uncertainty_deg,
        tone.ita_corrected_deg,
        tone.ita_category,
        tone.fitzpatrick_estimate,
        tone.monk_estimate,
    )
    assert tone.reference is None
    assert "not a typing" in tone.caveat


def test_light_skin_is_light_and_dark_skin_dark() -> None:
    found = [estimate(flat(swatch), WHOLE).group for swatch in MONK]
    assert found == ["light"] * 5 + ["medium"] + ["dark"] * 4


@pytest.mark.parametrize("swatch", MONK)
def test_a_range_runs_from_light_to_dark_around_the_group(swatch: str) -> None:
    tone = estimate(flat(swatch), WHOLE)
    assert tone.group is not None
    assert tone.group_range is not None
    lightest, own, darkest = (GROUPS.index(name) for name in (tone.group_range[0], tone.group, tone.group_range[1]))
    assert lightest <= own <= darkest


@pytest.mark.parametrize("swatch", MONK)
def test_exposure_moves_the_group_less_than_the_angle(swatch: str) -> None:
    """An underexposed photo is darker, but its group follows the colour more than the light."""
    photos = [linear_to_srgb(srgb_to_linear(flat(swatch)) * np.float32(gain)) for gain in (1.0, 0.7)]
    light, dark = (angle for photo in photos if (angle := photographed(subject(photo, WHOLE).whole)) is not None)
    moved = colour_angle(light.lightness, light.yellowness) - colour_angle(dark.lightness, dark.yellowness)
    assert 0 < moved < 10


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (("light", ("light", "medium")), ("medium", ("light", "dark")), True),
        (("light", ("light", "light")), ("medium", ("light", "dark")), True),
        (("light", ("light", "medium")), ("dark", ("medium", "dark")), False),
        (("light", ("light", "light")), (None, None), True),
    ],
)
def test_two_photos_are_alike_if_one_range_holds_the_other_group(
    one: tuple[str, tuple[str, str]], other: tuple[str | None, tuple[str, str] | None], *, alike: bool
) -> None:
    first, second = Tone("", *one), Tone("", *other)
    assert are_alike(first, second) is are_alike(second, first) is alike


def test_a_portrait_without_a_face_has_no_tone() -> None:
    tone = tone_of(subject(skin_patch(MONK[4]), portrait=True))
    assert (tone.group, tone.group_range) == (None, None)
    assert "face was not found" in tone.caveat


def test_a_fitted_constant_comes_with_its_command_and_its_figures() -> None:
    facts = json.loads((Path(ml.skin.tone.__file__).parent / "params" / "tone.json").read_text(encoding="utf-8"))
    assert {"command", "meaning"} <= set.intersection(*(set(of) for of in facts.values()))
    held_out = facts["group"]["held_out"]
    assert held_out["coverage"]["share"] >= 0.9
    assert held_out["whole_scale"]["share"] <= 0.5


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
def test_the_ranges_of_full_detail_hold_the_estimates(swatch: str) -> None:
    found = estimate(flat(swatch), WHOLE)
    for value, ends, most in (
        (found.monk_estimate, found.monk_range, 10),
        (found.fitzpatrick_estimate, found.fitzpatrick_range, 6),
    ):
        assert value is not None
        assert ends is not None
        assert 1 <= ends[0] <= max(1, value - 1) <= min(most, value + 1) <= ends[1] <= most


def test_without_an_angle_there_is_no_range() -> None:
    found = estimate(flat(MONK[3]), np.zeros((64, 64), np.bool_))
    assert found == Tone(found.caveat)


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


@pytest.mark.parametrize("mask", [np.zeros((64, 64), np.bool_), np.eye(64, dtype=np.bool_)])
def test_too_little_skin_gives_no_estimate_and_says_so(mask: Mask) -> None:
    tone = estimate(flat(MONK[4]), mask)
    assert tone == Tone(tone.caveat)
    assert "little skin" in tone.caveat


def test_skin_without_yellow_gives_no_estimate_and_says_so() -> None:
    tone = estimate(np.full((64, 64, 3), (200, 160, 190), np.uint8), WHOLE)
    assert tone == Tone(tone.caveat)
    assert "neutral light" in tone.caveat


def test_an_uneven_patch_has_an_uncertain_angle() -> None:
    ramp = np.linspace(60, 70, 64, dtype=np.float32)
    angle = typology_angle(np.tile(ramp, (64, 1)), np.full((64, 64), 15, np.float32), Region(WHOLE))
    assert angle is not None
    assert angle.uncertainty is not None
    assert 0 < angle.uncertainty < 5

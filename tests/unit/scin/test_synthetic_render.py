"""Rendered views: the true maps belong to the photo, on every tone."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ml.skin.colour import srgb_to_linear
from scin.synthetic import CONDITIONS, CaseSpec, RenderedView, optics, plan_cases, render_case

INFLAMED = ("Insect Bite", "Urticaria")
LAB_OF_8_BIT = np.array([100.0 / 255.0, 1.0, 1.0])


@cache
def plan() -> tuple[CaseSpec, ...]:
    return tuple(plan_cases(100, seed=11))


def case_of(monk: int, condition: str) -> CaseSpec:
    return next(case for case in plan() if case.monk == monk and case.condition == condition)


@cache
def neutral_view(monk: int, condition: str) -> RenderedView:
    return render_case(case_of(monk, condition), neutral=True)[0]


def lab(view: RenderedView) -> NDArray[np.float64]:
    converted = cv2.cvtColor(view.rgb.astype(np.float32) / np.float32(255.0), cv2.COLOR_RGB2Lab)
    return np.asarray(converted, dtype=np.float64)


def bare_skin(view: RenderedView) -> NDArray[np.bool_]:
    around = cv2.dilate(view.lesion_mask.astype(np.uint8), np.ones((31, 31), np.uint8))
    return view.skin_mask & (around == 0)


@pytest.mark.parametrize("condition", [condition.name for condition in CONDITIONS])
def test_every_condition_marks_the_skin_in_every_view(condition: str) -> None:
    spec = case_of(6, condition)
    for plan_view, view in zip(spec.views, render_case(spec, neutral=True), strict=True):
        assert view.rgb.shape == (plan_view.height, plan_view.width, 3)
        assert view.lesion_mask.any()
        assert view.spots >= 1
        assert (view.skin_mask | ~view.lesion_mask).all()
        colours = lab(view)
        shift = colours[view.lesion_mask].mean(axis=0) - colours[bare_skin(view)].mean(axis=0)
        assert np.linalg.norm(shift) > 3.0


@pytest.mark.parametrize("monk", range(1, 11))
@pytest.mark.parametrize("condition", INFLAMED)
def test_inflamed_skin_holds_more_blood_and_is_darker_on_every_tone(monk: int, condition: str) -> None:
    view = neutral_view(monk, condition)
    bare = bare_skin(view)
    assert view.haemoglobin[view.lesion_mask].mean() > 1.3 * view.haemoglobin[bare].mean()
    colours = lab(view)
    darker, redder, _ = colours[view.lesion_mask].mean(axis=0) - colours[bare].mean(axis=0)
    assert darker < -0.4
    if monk <= 6:
        assert redder > 2.0


@pytest.mark.parametrize("monk", range(1, 11))
def test_moles_are_darker_and_vitiligo_is_lighter(monk: int) -> None:
    mole, loss = neutral_view(monk, "Melanocytic Nevus"), neutral_view(monk, "Vitiligo")
    assert mole.melanin[mole.lesion_mask].mean() > 1.3 * mole.melanin[bare_skin(mole)].mean()
    assert lab(mole)[mole.lesion_mask][:, 0].mean() < lab(mole)[bare_skin(mole)][:, 0].mean() - 1.0
    assert loss.melanin[loss.lesion_mask].mean() < loss.melanin[bare_skin(loss)].mean()
    if monk >= 5:
        assert lab(loss)[loss.lesion_mask][:, 0].mean() > lab(loss)[bare_skin(loss)][:, 0].mean() + 2.0


@pytest.mark.parametrize("monk", range(1, 11))
def test_bare_skin_in_neutral_light_has_the_true_ita(monk: int) -> None:
    view = neutral_view(monk, "Melanocytic Nevus")
    lightness, _, yellow = np.median(lab(view)[bare_skin(view)], axis=0)
    assert lightness == pytest.approx(view.true_lightness, abs=1.5)
    assert np.degrees(np.arctan2(lightness - 50.0, yellow)) == pytest.approx(view.true_ita_deg, abs=3.0)


@pytest.mark.parametrize("monk", [2, 9])
def test_where_skin_is_clear_the_photo_has_the_colour_of_its_pigments(monk: int) -> None:
    view = neutral_view(monk, "Psoriasis")
    assert (view.bare_mask | ~view.clear_mask).all()
    own = optics.colour_of(*(np.log(np.maximum(part, 1e-6)) for part in (view.melanin, view.haemoglobin)))
    seen = srgb_to_linear(view.rgb)
    off = np.abs(seen - own)[view.clear_mask] / own[view.clear_mask]
    assert off.max() < 0.1 + 0.04  # half a code is up to 4% of so dark a channel
    assert np.abs(seen - own)[~view.clear_mask & view.skin_mask].max() > 0.1


def test_lit_views_show_the_same_skin_in_other_light() -> None:
    spec = case_of(5, "Urticaria")
    lit, even = render_case(spec)[0], render_case(spec, neutral=True)[0]
    assert np.array_equal(lit.melanin, even.melanin)
    assert np.array_equal(lit.lesion_mask, even.lesion_mask)
    assert not np.array_equal(lit.rgb, even.rgb)


def test_maps_are_zero_off_the_skin_and_fractions_on_it() -> None:
    spec = next(case for case in plan() if any(view.limb for view in case.views))
    number = next(number for number, view in enumerate(spec.views) if view.limb)
    view = render_case(spec)[number]
    off = ~view.skin_mask
    assert off.any()
    assert (view.melanin[off] == 0.0).all()
    assert (view.haemoglobin[off] == 0.0).all()
    for pigment in (view.melanin, view.haemoglobin):
        assert pigment.dtype == np.float32
        assert pigment[view.skin_mask].min() > 0.0
        assert pigment.max() < 1.0


def test_an_ungradable_case_is_blurred() -> None:
    poor = next(case for case in plan() if case.quality == "insufficient")
    sharp = case_of(poor.monk, "Psoriasis")
    assert min(view.camera.blur_px for view in poor.views) > 4.0 > max(view.camera.blur_px for view in sharp.views)


def test_freckled_skin_says_so() -> None:
    naevi = [render_case(case)[0] for case in plan() if case.condition == "Melanocytic Nevus"]
    assert {view.freckled for view in naevi} == {True, False}

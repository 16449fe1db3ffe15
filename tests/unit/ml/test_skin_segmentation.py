from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.skin.segmentation import coverage, skin_mask, skin_masks
from scin.synthetic import plan_cases, render_case
from tests.unit.ml.skin_images import MONK, NEUTRAL, disc, skin_on, skin_patch

DISC = disc()


@pytest.mark.parametrize("swatch", MONK)
def test_a_photo_full_of_skin_is_all_skin_in_every_tone(swatch: str) -> None:
    assert coverage(skin_mask(skin_patch(swatch))) > 0.99


@pytest.mark.parametrize("background", NEUTRAL)
def test_the_worst_tone_is_covered_within_five_points_of_the_best(background: str) -> None:
    found = [skin_mask(skin_on(NEUTRAL[background], swatch, DISC))[DISC].mean() for swatch in MONK]
    assert max(found) - min(found) <= 0.05
    assert min(found) > 0.94


@pytest.mark.parametrize("background", NEUTRAL)
@pytest.mark.parametrize("swatch", MONK)
def test_background_is_not_skin(background: str, swatch: str) -> None:
    assert skin_mask(skin_on(NEUTRAL[background], swatch, DISC))[~DISC].mean() < 0.03


@pytest.mark.parametrize("swatch", MONK)
def test_strong_sensor_noise_does_not_hide_a_tone(swatch: str) -> None:
    photo = skin_patch(swatch).astype(np.float32)
    photo += np.random.default_rng(5).normal(0, 5, photo.shape)
    assert coverage(skin_mask(np.clip(photo, 0, 255).astype(np.uint8))) > 0.95


def test_a_lesion_and_a_highlight_inside_skin_belong_to_it() -> None:
    photo = skin_patch(MONK[4])
    photo[100:140, 100:150] = (30, 20, 60)  # blue-black
    photo[200:230, 300:330] = 255
    assert skin_mask(photo).all()


@pytest.mark.parametrize("code", [(128, 128, 128), (0, 0, 0), (255, 255, 255), (60, 140, 60), (70, 110, 200)])
def test_no_skin_in_other_colours(code: tuple[int, int, int]) -> None:
    photo = np.full((60, 80, 3), code, np.uint8)
    assert not skin_mask(photo).any()


BROWN, PALE = "5e381c", (204, 185, 163)  # ml.skin.optics with 20% of melanosomes, and with next to none
PATCHES = {
    "in the middle": disc(radius=130),
    "at the frame": np.roll(disc(radius=110), -192, axis=0),
    "on both sides": np.roll(disc(radius=80), 256, axis=1),
}


@pytest.mark.parametrize("where", PATCHES)
def test_dark_skin_and_its_pale_patches_are_skin(where: str) -> None:
    assert coverage(skin_mask(skin_on(PALE, BROWN, ~PATCHES[where]))) > 0.97


def test_a_wall_of_a_pale_skins_colour_behind_a_dark_limb_is_not_skin() -> None:
    limb = np.zeros_like(DISC)
    limb[:, 150:380] = True
    mask = skin_mask(skin_on(PALE, BROWN, limb))
    assert mask[limb].mean() > 0.94
    assert mask[~limb].mean() < 0.03


@pytest.mark.parametrize("monk", [7, 8, 9, 10])
@pytest.mark.parametrize("condition", ["Vitiligo", "Melanocytic Nevus"])
def test_marks_of_another_colour_do_not_cost_dark_skin(monk: int, condition: str) -> None:
    spec = next(case for case in plan_cases(100, seed=12) if (case.monk, case.condition) == (monk, condition))
    view = render_case(replace(spec, views=spec.views[:1]), neutral=True)[0]
    assert skin_mask(view.rgb)[view.skin_mask].mean() > 0.95


def test_a_seed_decides_between_two_candidate_colours() -> None:
    photo = np.zeros((200, 400, 3), np.uint8)
    photo[:, :200] = (205, 150, 125)  # skin
    photo[:, 200:] = (170, 80, 40)  # deep orange, as likely a curtain
    right = np.zeros((200, 400), np.bool_)
    right[50:150, 250:350] = True
    assert skin_masks(photo, seed=right)[0][:, 220:].all()
    assert not skin_masks(photo, seed=right)[0][:, :180].any()
    left = right[:, ::-1]
    assert skin_masks(photo, seed=left)[0][:, :180].all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3000), (3, 3), (700, 33)])
def test_the_mask_has_the_photos_size_however_odd(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    assert skin_mask(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).shape == size


def test_plain_skin_is_no_close_call() -> None:
    found, other = skin_masks(skin_patch(MONK[4]))
    assert found.all()
    assert other is None


def test_a_hole_that_a_pixel_would_open_may_be_skin_or_not() -> None:
    photo = skin_patch(MONK[4], 256, 256)
    photo[60:180, 2:120] = (60, 140, 60)  # hardly shut from the frame
    found, other = skin_masks(photo)
    assert other is not None
    assert found[120, 60]
    assert not other[120, 60]

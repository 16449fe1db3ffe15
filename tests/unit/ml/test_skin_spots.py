from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.regions import UNKNOWN, Region, Value
from ml.skin.spots import measure_spots
from ml.values import RGB, Mask
from tests.unit.ml.skin_images import MONK, skin_patch, with_lesion

WHOLE = np.ones((384, 512), np.bool_)
RED, BROWN = (0.95, 0.6, 0.65), (0.55, 0.35, 0.3)


def discs(places: list[tuple[int, int]], radius: int) -> Mask:
    canvas = np.zeros(WHOLE.shape, np.uint8)
    for place in places:
        cv2.circle(canvas, place, radius, 1, cv2.FILLED)
    return canvas.view(np.bool_)


SEVEN = discs([(80, 70), (200, 60), (330, 90), (440, 160), (120, 200), (260, 220), (400, 300)], 9)


def mottled(photo: RGB) -> RGB:
    """``photo`` with one redder blotch, a fifth of it wide, and finer mottling of all."""
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]]
    blotch = np.exp(-((rows - 170) ** 2 + (columns - 300) ** 2) / (2 * 40**2))
    fine = cv2.GaussianBlur(np.random.default_rng(1).normal(size=blotch.shape), (0, 0), 4)
    darker = (0.15 * blotch + 0.02 * fine / fine.std())[..., None] * (0.5, 1, 1.2)
    return linear_to_srgb(srgb_to_linear(photo) * np.exp(-darker).astype(np.float32))


def measured(photo: np.ndarray, skin: Mask = WHOLE) -> dict[str, Value]:
    return dict(zip(("spot_count", "spot_area"), measure_spots(photo, Region(skin)), strict=True))


@pytest.mark.parametrize("swatch", MONK)
@pytest.mark.parametrize("colour", [RED, BROWN])
def test_red_and_brown_spots_are_counted_on_every_tone(swatch: str, colour: tuple[float, float, float]) -> None:
    found = measured(with_lesion(skin_patch(swatch), SEVEN, colour))
    assert found["spot_count"][0] == 7
    assert found["spot_area"][0] == pytest.approx(float(SEVEN.mean()), rel=0.35)


@pytest.mark.parametrize("swatch", MONK[:7])
def test_faint_spots_are_counted_too(swatch: str) -> None:
    assert measured(with_lesion(skin_patch(swatch), SEVEN, (0.97, 0.9, 0.93)))["spot_count"][0] == 7


@pytest.mark.parametrize("swatch", MONK)
def test_plain_skin_has_no_spots(swatch: str) -> None:
    found = measured(skin_patch(swatch))
    assert found["spot_count"][0] == 0
    assert found["spot_count"][1] is not None


@pytest.mark.parametrize("swatch", MONK)
def test_a_broad_blotch_is_no_spot_and_hides_none(swatch: str) -> None:
    skin = mottled(skin_patch(swatch))
    assert measured(skin)["spot_count"][0] == 0
    assert measured(with_lesion(skin, SEVEN, RED))["spot_count"][0] == 7


def test_on_the_darkest_skin_a_single_code_is_no_spot() -> None:
    photo = np.broadcast_to(np.array([41, 36, 32], np.uint8), (384, 512, 3)).copy()
    photo[SEVEN] -= 1
    assert measured(photo)["spot_count"][0] == 0


def test_a_smaller_copy_has_as_many_spots() -> None:
    photo = with_lesion(skin_patch(MONK[5]), SEVEN, RED)
    small = np.asarray(cv2.resize(photo, (307, 230), interpolation=cv2.INTER_AREA), np.uint8)
    assert measured(small, np.ones((230, 307), np.bool_))["spot_count"][0] == 7


def test_folds_are_no_spots() -> None:
    fold = np.zeros(WHOLE.shape, np.bool_)
    fold[200:209, 60:300] = True
    photo = with_lesion(skin_patch(MONK[3]), fold | discs([(400, 90), (430, 300)], 9))
    assert measured(photo)["spot_count"][0] == 2


@pytest.mark.parametrize(("apart", "spots"), [(56, 2), (12, 1)])
def test_spots_that_touch_are_two_and_those_that_merge_are_one(apart: int, spots: int) -> None:
    photo = with_lesion(skin_patch(MONK[3]), discs([(200, 200), (200 + apart, 200)], 30))
    assert measured(photo)["spot_count"][0] == spots


def test_spots_off_the_skin_are_not_counted() -> None:
    skin = WHOLE.copy()
    skin[:, 300:] = False
    assert measured(with_lesion(skin_patch(MONK[3]), SEVEN), skin)["spot_count"][0] == 4


def test_without_skin_nothing_is_counted() -> None:
    found = measured(skin_patch(MONK[3]), np.zeros_like(WHOLE))
    assert set(found.values()) == {UNKNOWN}

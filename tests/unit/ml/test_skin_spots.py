from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.catalogue import CATALOGUE
from ml.skin.colour import srgb_to_linear
from ml.skin.frame import Frame, Subject
from ml.skin.regions import UNKNOWN
from ml.skin.spots import count_spots
from ml.values import RGB, Mask, Zone
from tests.unit.ml.skin_images import MONK, skin_patch, with_lesion

WHOLE = np.ones((384, 512), np.bool_)
RED = (0.95, 0.6, 0.65)
SIGMA = 5.0


def discs(places: list[tuple[int, int]], radius: int) -> Mask:
    canvas = np.zeros(WHOLE.shape, np.uint8)
    for place in places:
        cv2.circle(canvas, place, radius, 1, cv2.FILLED)
    return canvas.view(np.bool_)


SEVEN = discs([(80, 70), (200, 60), (330, 90), (440, 160), (120, 200), (260, 220), (400, 300)], 8)


def counted(photo: RGB, skin: Mask = WHOLE, sigma: float = SIGMA) -> float | None:
    return count_spots(photo, skin, sigma)[0]


@pytest.mark.parametrize("swatch", MONK)
def test_red_spots_are_counted_on_every_tone(swatch: str) -> None:
    assert counted(with_lesion(skin_patch(swatch), SEVEN, RED)) == 7


@pytest.mark.parametrize("swatch", MONK)
def test_plain_skin_has_no_spots(swatch: str) -> None:
    number, uncertainty = count_spots(skin_patch(swatch), WHOLE, SIGMA)
    assert number == 0
    assert uncertainty is not None


@pytest.mark.parametrize("light", [(0.4, 0.4, 0.4), (1.0, 0.8, 0.55)], ids=["dim", "warm"])
def test_the_light_changes_nothing(light: tuple[float, float, float]) -> None:
    photo = with_lesion(skin_patch(MONK[4]), SEVEN, RED)
    assert counted(linear_to_srgb(srgb_to_linear(photo) * np.array(light, np.float32))) == 7


def test_a_broad_blotch_is_no_spot() -> None:
    rows, columns = np.mgrid[:384, :512]
    blotch = np.exp(-((rows - 170) ** 2 + (columns - 300) ** 2) / (2 * 60**2))[..., None] * (0.1, 0.4, 0.4)
    photo = linear_to_srgb(srgb_to_linear(skin_patch(MONK[3])) * np.exp(-blotch).astype(np.float32))
    assert counted(photo) == 0


def test_a_smaller_copy_has_as_many_spots() -> None:
    photo = with_lesion(skin_patch(MONK[5]), SEVEN, RED)
    small = np.asarray(cv2.resize(photo, (307, 230), interpolation=cv2.INTER_AREA), np.uint8)
    assert counted(small, np.ones((230, 307), np.bool_), SIGMA * 0.6) == 7


def test_folds_are_no_spots() -> None:
    fold = np.zeros(WHOLE.shape, np.bool_)
    fold[200:209, 60:300] = True
    assert counted(with_lesion(skin_patch(MONK[3]), fold | discs([(400, 90), (430, 300)], 8), RED)) == 2


def test_spots_off_the_skin_are_not_counted() -> None:
    skin = WHOLE.copy()
    skin[:, 300:] = False
    assert counted(with_lesion(skin_patch(MONK[3]), SEVEN, RED), skin) == 4


@pytest.mark.parametrize(("skin", "sigma"), [(np.zeros_like(WHOLE), SIGMA), (WHOLE, 1.0)], ids=["no skin", "too small"])
def test_what_cannot_be_counted_is_unknown(skin: Mask, sigma: float) -> None:
    assert count_spots(skin_patch(MONK[3]), skin, sigma) == UNKNOWN


def test_on_a_face_spots_count_between_the_zones_but_not_at_the_eyes_or_beside_the_face() -> None:
    def zone(name: str, left: float, top: float, right: float, bottom: float) -> Zone:
        return Zone(name, ((left, top), (right, top), (right, bottom), (left, bottom)))

    zones = (zone("forehead", 0.2, 0.05, 0.8, 0.25), zone("around_left_eye", 0.6, 0.3, 0.8, 0.5))
    zones = (*zones, zone("chin", 0.2, 0.8, 0.8, 0.95))
    places = [(256, 50), (256, 200), (360, 150), (40, 200)]  # forehead, between, eye, beside
    photo = with_lesion(skin_patch(MONK[4]), discs(places, 7), RED)
    assert CATALOGUE["spot_count"].measured(Subject(Frame(photo), zones).whole)[0] == 2

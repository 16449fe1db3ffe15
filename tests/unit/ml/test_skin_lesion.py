from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.skin.lesion import lesion_mask, surroundings
from ml.skin.segmentation import skin_mask
from tests.unit.ml.skin_images import MONK, disc, flat, skin_patch, with_lesion

SPOT = disc(radius=45)


@pytest.mark.parametrize("swatch", MONK)
def test_a_dark_spot_is_outlined_on_every_tone(swatch: str) -> None:
    photo = with_lesion(skin_patch(swatch), SPOT)
    found = lesion_mask(photo, skin_mask(photo))
    assert found is not None
    assert (found & SPOT).sum() / (found | SPOT).sum() > 0.9


@pytest.mark.parametrize("swatch", MONK)
def test_plain_skin_has_no_lesion(swatch: str) -> None:
    photo = skin_patch(swatch)
    assert lesion_mask(photo, skin_mask(photo)) is None


def test_a_flat_photo_has_no_lesion() -> None:
    assert lesion_mask(flat(MONK[3]), np.ones((64, 64), np.bool_)) is None


def test_no_skin_no_lesion() -> None:
    photo = with_lesion(skin_patch(MONK[3]), SPOT)
    assert lesion_mask(photo, np.zeros(SPOT.shape, np.bool_)) is None


def test_a_shadow_reaching_in_from_the_edge_is_no_lesion() -> None:
    edge = np.zeros(SPOT.shape, np.bool_)
    edge[:, :60] = True
    photo = with_lesion(skin_patch(MONK[3]), edge)
    assert lesion_mask(photo, np.ones_like(edge)) is None


def test_the_larger_of_two_spots_is_taken() -> None:
    small = np.zeros(SPOT.shape, np.bool_)
    small[30:60, 30:60] = True
    photo = with_lesion(skin_patch(MONK[4]), SPOT | small)
    found = lesion_mask(photo, skin_mask(photo))
    assert found is not None
    assert found[SPOT].mean() > 0.9
    assert not found[small].any()


def test_surroundings_are_a_ring_of_skin_off_the_border() -> None:
    skin = np.ones(SPOT.shape, np.bool_)
    skin[:, 400:] = False
    ring = surroundings(SPOT, skin)
    assert ring.any()
    assert not (ring & ~skin).any()
    assert not (ring & cv2.dilate(SPOT.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(np.bool_)).any()

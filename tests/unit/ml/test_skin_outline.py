from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.skin.lesion import main_lesion
from ml.skin.outline import Thresholds, find_patches, segment_lesion, surroundings
from ml.skin.segmentation import skin_mask
from ml.values import RGB, Mask
from tests.unit.ml.skin_images import MONK, disc, flat, skin_patch, with_lesion

SPOT = disc(radius=45)


def lesion_mask(photo: RGB, skin: Mask) -> Mask | None:
    found = segment_lesion(photo, skin)
    return None if found is None else found.mask


def iou(found: Mask, truth: Mask) -> float:
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize("swatch", MONK)
def test_a_dark_spot_is_outlined_on_every_tone(swatch: str) -> None:
    photo = with_lesion(skin_patch(swatch), SPOT)
    found = lesion_mask(photo, skin_mask(photo))
    assert found is not None
    assert iou(found, SPOT) > 0.9


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


def test_a_dark_corner_is_no_lesion() -> None:
    rows, columns = np.mgrid[:384, :512]
    reach = 110 * (1 + 0.15 * np.sin(14 * np.arctan2(rows, columns)))
    photo = with_lesion(skin_patch(MONK[3]), np.asarray(np.hypot(rows, columns) < reach, np.bool_))
    assert lesion_mask(photo, np.ones(SPOT.shape, np.bool_)) is None


def test_what_lies_between_flakes_of_scale_is_lesion() -> None:
    plaque, flakes = disc(radius=90), np.zeros(SPOT.shape, np.bool_)
    for row in range(0, 384, 20):
        flakes[row : row + 10] = np.arange(512) % 20 < 10
    photo = with_lesion(skin_patch(MONK[9]), plaque, (0.95, 0.93, 0.93))
    photo = with_lesion(photo, plaque & flakes, (8.0, 9.0, 9.0))
    found = lesion_mask(photo, np.ones(SPOT.shape, np.bool_))
    assert found is not None
    assert iou(found, plaque) > 0.85


def test_a_smaller_copy_shows_the_same_lesion() -> None:
    photo = with_lesion(skin_patch(MONK[4]), SPOT)
    small = np.asarray(cv2.resize(photo, (128, 96), interpolation=cv2.INTER_AREA), np.uint8)
    found = lesion_mask(small, np.ones((96, 128), np.bool_))
    assert found is not None
    assert iou(found, SPOT[2::4, 2::4]) > 0.85


def test_all_spots_are_found_and_the_largest_is_the_main_one() -> None:
    small = np.zeros(SPOT.shape, np.bool_)
    small[30:60, 30:60] = True
    photo = with_lesion(skin_patch(MONK[4]), SPOT | small)
    found = lesion_mask(photo, skin_mask(photo))
    assert found is not None
    assert found[small].mean() > 0.8
    main = main_lesion(found)
    assert main is not None
    assert np.count_nonzero(main.inside & SPOT[main.box]) > 0.9 * np.count_nonzero(SPOT)
    assert not (main.inside & small[main.box]).any()


def test_a_pale_patch_is_outlined_too() -> None:
    photo = with_lesion(skin_patch(MONK[7]), SPOT, (2.2, 2.6, 2.8))
    found = lesion_mask(photo, np.ones(SPOT.shape, np.bool_))
    assert found is not None
    assert iou(found, SPOT) > 0.9


def test_a_ring_is_kept_with_what_it_encloses() -> None:
    whole, hole = disc(radius=90), disc(radius=75)
    photo = with_lesion(skin_patch(MONK[3]), whole & ~hole)
    found = lesion_mask(photo, np.ones(SPOT.shape, np.bool_))
    assert found is not None
    assert iou(found, whole) > 0.9


def test_hairs_are_no_lesions() -> None:
    photo = skin_patch(MONK[2])
    rng = np.random.default_rng(3)
    for x, y in rng.uniform(20, 360, (40, 2)):
        end = (int(x + rng.uniform(30, 80)), int(y + rng.uniform(-20, 20)))
        cv2.line(photo, (int(x), int(y)), end, (60, 40, 30), 2, cv2.LINE_AA)
    assert lesion_mask(photo, np.ones(photo.shape[:2], np.bool_)) is None


def test_other_thresholds_give_a_wider_and_a_narrower_outline() -> None:
    photo = with_lesion(skin_patch(MONK[4]), SPOT)
    found = segment_lesion(cv2.GaussianBlur(photo, (0, 0), 4).astype(np.uint8), np.ones(SPOT.shape, np.bool_))
    assert found is not None
    assert found.narrow.sum() < found.mask.sum() < found.wide.sum()


def test_surroundings_are_a_ring_of_skin_off_the_border() -> None:
    skin = np.ones(SPOT.shape, np.bool_)
    skin[:, 400:] = False
    ring = surroundings(SPOT, skin)
    assert ring.any()
    assert not (ring & ~skin).any()
    assert not (ring & cv2.dilate(SPOT.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(np.bool_)).any()


THRESHOLDS = Thresholds(low=3.0, peak=6.0, least=30, beside=0.05)
SQUARE = np.ones((256, 256), np.bool_)


def test_a_lesion_in_a_shadow_from_the_corner_is_found_without_it() -> None:
    distance = np.ones(SQUARE.shape, np.float32)
    distance[:120, :120] = 3.5
    lesion = np.zeros_like(SQUARE)
    lesion[60:110, 60:110] = True
    distance[lesion] = 9.0
    found = find_patches(distance, SQUARE, THRESHOLDS)
    assert (found & lesion).sum() > 0.95 * lesion.sum()
    assert not (found & ~lesion).any()


def test_a_shadow_alone_is_none() -> None:
    distance = np.ones(SQUARE.shape, np.float32)
    distance[:, :60] = 9.0
    assert not find_patches(distance, SQUARE, THRESHOLDS).any()

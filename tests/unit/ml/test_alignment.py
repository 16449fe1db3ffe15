"""Two photos of the same generated skin are aligned; photos of other skin are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.analysis.same_place import by_texture
from ml.skin.aligned import LESION_AREA, REDNESS_CONTRAST, aligned_skin, paired
from ml.skin.alignment import Alignment, align
from ml.values import RGB
from tests.unit.ml.skin_images import MONK, disc, flushed, skin_patch, with_lesion

RED = (0.8, 0.5, 0.5)


def mottled(seed: int) -> RGB:
    """Skin with hairs and spots, which both photos of a pair show."""
    rng = np.random.default_rng(seed)
    photo = flushed(skin_patch(MONK[4], seed=seed), seed)
    for _ in range(60):
        start, turn, length = rng.uniform((0, 0), (512, 384)), rng.uniform(0, 6.3), rng.uniform(10, 60)
        end = start + length * np.array([np.cos(turn), np.sin(turn)])
        cv2.line(photo, tuple(start.astype(int)), tuple(end.astype(int)), (90, 60, 50), 1, cv2.LINE_AA)
        cv2.circle(
            photo, tuple(rng.uniform((0, 0), (512, 384)).astype(int)), int(rng.integers(1, 4)), (140, 90, 70), -1
        )
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), 0.7), np.uint8)


def moved(photo: RGB, degrees: float = 8.0, scale: float = 1.1) -> tuple[RGB, np.ndarray]:
    """``photo`` turned and enlarged about its middle, and the transform."""
    height, width = photo.shape[:2]
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale), np.float64)
    return np.asarray(cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)), matrix


def aligned(before: RGB, after: RGB) -> Alignment:
    found = align(before, after)
    assert found is not None
    return found


@pytest.mark.parametrize(("degrees", "scale"), [(0.0, 1.0), (8.0, 1.1), (-60.0, 1.3), (180.0, 1.0)])
def test_a_moved_photo_is_aligned(degrees: float, scale: float) -> None:
    before = mottled(1)
    after, matrix = moved(before, degrees, scale)
    found = aligned(before, after)
    assert by_texture(found).verdict == "same"
    assert found.scale == pytest.approx(1 / scale, rel=0.01)
    points = np.array([(150, 120), (350, 120), (250, 280)], np.float64)
    there = points @ matrix[:, :2].T + matrix[:, 2]
    back = there @ found.matrix[:, :2].T + found.matrix[:, 2]
    assert np.abs(back - points).max() < 1


@pytest.mark.parametrize("seed", range(2, 6))
def test_other_skin_has_no_common_texture(seed: int) -> None:
    found = align(mottled(1), mottled(seed))
    assert by_texture(found).verdict == "unsure"


def test_a_photo_without_structure_is_not_aligned() -> None:
    assert align(np.full((200, 200, 3), 150, np.uint8), mottled(1)) is None


def test_the_light_of_the_second_photo_is_set_to_that_of_the_first() -> None:
    before = mottled(1)
    bluer = np.clip(before * np.array([0.9, 0.95, 1.02]), 0, 255).astype(np.uint8)
    skin = aligned_skin(before, bluer, aligned(before, bluer))
    assert skin is not None
    assert skin.light[0] < skin.light[1] < 0 < skin.light_apart
    inside = skin.usable
    gap = skin.before.copy[inside].mean(axis=0) - skin.after.copy[inside].mean(axis=0)
    assert np.abs(gap).max() < 1.5


def test_photos_that_share_too_little_are_not_measured() -> None:
    photo = mottled(1)
    far = Alignment(np.array([[1.0, 0, 460], [0, 1, 0]]), 20, 20)
    assert aligned_skin(photo, photo, far) is None
    assert aligned_skin(photo, photo, Alignment(np.array([[1.0, 0, 9000], [0, 1, 0]]), 20, 20)) is None


def test_a_redder_lesion_is_redder_in_the_pair() -> None:
    skin = mottled(1)
    before = with_lesion(skin, disc(radius=70), RED)
    after, _ = moved(with_lesion(skin, disc(radius=70), (0.85, 0.42, 0.42)))
    pair = aligned_skin(before, after, aligned(before, after))
    assert pair is not None
    found = paired(pair)
    assert found["erythema_index_difference"].after > found["erythema_index_difference"].before + 4
    assert found[REDNESS_CONTRAST].after > found[REDNESS_CONTRAST].before


def test_a_larger_lesion_is_larger_by_as_much_in_the_pair() -> None:
    skin = mottled(1)
    dark = (0.45, 0.3, 0.25)
    before = with_lesion(skin, disc(radius=60), dark)
    after, _ = moved(with_lesion(skin, disc(radius=60 * 1.25**0.5), dark))
    pair = aligned_skin(before, after, aligned(before, after))
    assert pair is not None
    found = paired(pair)[LESION_AREA]
    assert found.before == 100
    assert found.after == pytest.approx(125, abs=5)


def test_unchanged_skin_does_not_change_in_the_pair() -> None:
    before = with_lesion(mottled(1), disc(radius=60), (0.45, 0.3, 0.25))
    after, _ = moved(before)
    pair = aligned_skin(before, after, aligned(before, after))
    assert pair is not None
    found = paired(pair)
    assert found[LESION_AREA].after == pytest.approx(100, abs=3)
    assert found["redness_difference"].after == pytest.approx(found["redness_difference"].before, abs=0.6)

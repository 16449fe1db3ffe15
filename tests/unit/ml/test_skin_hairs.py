from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.skin.hairs import without_hairs
from tests.unit.ml.skin_images import MONK, disc, skin_patch, with_lesion

HAIR = (30, 22, 18)


@pytest.mark.parametrize("swatch", MONK[:7])
def test_a_hair_leaves_the_skin_beside_it(swatch: str) -> None:
    skin = skin_patch(swatch)
    hairy = np.asarray(cv2.line(skin.copy(), (60, 80), (200, 150), HAIR, 2), np.uint8)
    assert np.abs(without_hairs(hairy).astype(int) - skin).max() < 0.25 * np.abs(hairy.astype(int) - skin).max()


@pytest.mark.parametrize("swatch", MONK[:8])
def test_bare_skin_and_moles_are_left_as_they_are(swatch: str) -> None:
    photo = with_lesion(skin_patch(swatch), disc(radius=20))
    np.testing.assert_array_equal(without_hairs(photo), photo)

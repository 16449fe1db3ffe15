"""Patches in a map of how far each pixel stands out, where two of them touch."""

from __future__ import annotations

import numpy as np

from ml.skin.patches import Thresholds, find_patches

THRESHOLDS = Thresholds(low=3.0, peak=6.0, least=30, beside=0.05)
SKIN = np.ones((256, 256), np.bool_)


def test_a_lesion_in_a_shadow_from_the_corner_is_found_without_it() -> None:
    distance = np.ones(SKIN.shape, np.float32)
    distance[:120, :120] = 3.5
    lesion = np.zeros_like(SKIN)
    lesion[60:110, 60:110] = True
    distance[lesion] = 9.0
    found = find_patches(distance, SKIN, THRESHOLDS)
    assert (found & lesion).sum() > 0.95 * lesion.sum()
    assert not (found & ~lesion).any()


def test_a_shadow_alone_is_none() -> None:
    distance = np.ones(SKIN.shape, np.float32)
    distance[:, :60] = 9.0
    assert not find_patches(distance, SKIN, THRESHOLDS).any()

"""Hairs are filled with the skin beside them, and mottling is found without the spots on it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.skin.conspicuity import mottling, without_hairs
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


# A drift over a grid of 50 × 50 points, with noise of unit variance and a spot.
SKIN = np.ones((50, 50), np.bool_)
POINTS = np.zeros_like(SKIN)
POINTS[30:33, 20:23] = True


def off(drift: float) -> np.ndarray:
    """Noise about ``drift`` standard deviations in the last of three axes, and a spot ten above."""
    noise = np.random.default_rng(4).normal(0, 0.6, (50, 50, 3)).astype(np.float32)
    noise[..., 2] += drift + 10 * POINTS
    return noise


def test_the_drift_is_found_without_the_spot() -> None:
    drift, steady = mottling(off(1.2), SKIN)
    np.testing.assert_allclose(drift[10:40, 10:40].mean(axis=(0, 1)), (0, 0, 1.2), atol=0.1)
    assert not steady[POINTS].any()
    assert steady.mean() > 0.95


def test_what_is_broad_but_far_from_bare_skin_stays_off_it() -> None:
    drift, _ = mottling(off(2.5), SKIN)
    assert np.linalg.norm(drift, axis=2).max() == pytest.approx(1.5, rel=1e-3)


def test_beside_the_skin_there_is_no_drift() -> None:
    skin = SKIN.copy()
    skin[:, 25:] = False
    drift, steady = mottling(off(1.2), skin)
    assert not drift[:, 30:].any()
    assert not steady[:, 25:].any()

"""A drift over a grid of 50 × 50 points, with noise of unit variance and a spot."""

from __future__ import annotations

import numpy as np
import pytest

from ml.skin.mottling import mottling

SKIN = np.ones((50, 50), np.bool_)
SPOT = np.zeros_like(SKIN)
SPOT[30:33, 20:23] = True


def off(drift: float) -> np.ndarray:
    """Noise about ``drift`` standard deviations in the last of three axes, and a spot ten above."""
    noise = np.random.default_rng(4).normal(0, 0.6, (50, 50, 3)).astype(np.float32)
    noise[..., 2] += drift + 10 * SPOT
    return noise


def test_the_drift_is_found_without_the_spot() -> None:
    drift, steady = mottling(off(1.2), SKIN)
    np.testing.assert_allclose(drift[10:40, 10:40].mean(axis=(0, 1)), (0, 0, 1.2), atol=0.1)
    assert not steady[SPOT].any()
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

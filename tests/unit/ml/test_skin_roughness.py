"""Co-occurrence and roughness against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from ml.skin.regions import Region
from ml.skin.texture import STEP, Surface, co_occurrence, roughness

WHOLE = Region(np.ones((64, 64), np.bool_))


def surface(detail: np.ndarray) -> Surface:
    height, width = detail.shape
    return Surface(detail.astype(np.float32), (slice(0, height), slice(0, width)))


def glcm(detail: np.ndarray, region: Region = WHOLE) -> dict[tuple[str, int], float]:
    return co_occurrence(surface(detail), region)


def test_co_occurrence_of_stripes_is_the_closed_form() -> None:
    columns = np.arange(64) % 2
    found = glcm(np.broadcast_to((0.5 + 2 * columns) * STEP, (64, 64)))
    # Neighbours at distance 1 differ by 2 levels in every direction but along the stripes; at 3 likewise.
    assert found["contrast", 1] == pytest.approx((4 + 4 + 0 + 4) / 4)
    assert found["homogeneity", 1] == pytest.approx((0.2 + 0.2 + 1 + 0.2) / 4)


def test_a_checkerboard_is_even_along_its_diagonals() -> None:
    found = glcm((0.5 + np.indices((64, 64)).sum(axis=0) % 2) * STEP)
    assert found["contrast", 1] == pytest.approx(0.5)


def test_pairs_with_one_outside_the_region_do_not_count() -> None:
    detail = np.zeros((64, 64))
    detail[:, 32:] = np.random.default_rng(0).uniform(-4, 4, (64, 32))
    mask = np.zeros((64, 64), np.bool_)
    mask[:, :32] = True
    assert glcm(detail, Region(mask))["contrast", 3] == 0


def test_roughness_of_a_wave_is_its_root_mean_square() -> None:
    wave = np.broadcast_to(2 * np.sin(np.arange(64) * np.pi / 8), (64, 64))
    value, error = roughness(surface(wave), WHOLE)
    assert value == pytest.approx(np.sqrt(2))
    assert error == pytest.approx(0, abs=1e-3)  # every block has the same


def test_a_hair_counts_by_no_more_than_four_in_lightness() -> None:
    detail = np.zeros((64, 64))
    detail[10] = -60.0
    assert roughness(surface(detail), WHOLE)[0] == pytest.approx(4 / 8)

from __future__ import annotations

import numpy as np
import pytest

from ml.skin.regions import Region
from ml.skin.texture import LEVELS, measure_texture

STEP = 100 / LEVELS
WHOLE = Region("skin", np.ones((64, 64), np.bool_))


def texture(lightness: np.ndarray, region: Region = WHOLE) -> dict[str, float | None]:
    return {m.name: m.value for m in measure_texture(lightness.astype(np.float32), region)}


def test_an_even_patch_has_no_texture() -> None:
    found = texture(np.full((64, 64), 60.0))
    assert found["glcm_contrast_d1"] == 0
    assert found["glcm_homogeneity_d3"] == 1
    assert found["evenness"] == 0
    assert found["lbp_entropy"] == pytest.approx(0, abs=1e-9)


def test_co_occurrence_of_stripes_is_the_closed_form() -> None:
    columns = np.arange(64) % 2
    stripes = np.broadcast_to((10.5 + 2 * columns) * STEP, (64, 64))
    found = texture(stripes)
    # Neighbours at distance 1 differ by 2 levels in every direction but along the stripes; at 3 likewise.
    assert found["glcm_contrast_d1"] == pytest.approx((4 + 4 + 0 + 4) / 4)
    assert found["glcm_homogeneity_d1"] == pytest.approx((0.2 + 0.2 + 1 + 0.2) / 4)
    assert found["evenness"] == pytest.approx(STEP)


def test_a_checkerboard_is_even_along_its_diagonals() -> None:
    board = (10.5 + np.indices((64, 64)).sum(axis=0) % 2) * STEP
    assert texture(board)["glcm_contrast_d1"] == pytest.approx(0.5)


def test_what_lies_outside_the_mask_does_not_count() -> None:
    lightness = np.full((64, 64), 60.0)
    lightness[:, 32:] = np.random.default_rng(0).uniform(0, 100, (64, 32))
    mask = np.zeros((64, 64), np.bool_)
    mask[:, :32] = True
    found = texture(lightness, Region("skin", mask))
    assert found["glcm_contrast_d1"] == 0
    assert found["evenness"] == 0
    assert found["lbp_entropy"] == pytest.approx(0, abs=1e-9)


def test_rougher_skin_has_more_contrast_and_less_homogeneity() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (64, 64))
    smooth, rough = texture(60 + 2 * noise), texture(60 + 8 * noise)
    for name, sign in (("glcm_contrast_d1", 1), ("glcm_homogeneity_d1", -1), ("evenness", 1)):
        assert smooth[name] is not None
        assert rough[name] is not None
        assert sign * (rough[name] - smooth[name]) > 0


def test_pattern_entropy_lies_within_its_bounds() -> None:
    entropy = texture(np.random.default_rng(0).uniform(0, 100, (64, 64)))["lbp_entropy"]
    assert entropy is not None
    assert 2 < entropy <= np.log2(10)


def test_too_small_a_region_has_no_texture() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[:7, :7] = True
    assert set(texture(np.full((64, 64), 60.0), Region("skin", mask)).values()) == {None}

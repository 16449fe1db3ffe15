from __future__ import annotations

import numpy as np
import pytest

from ml.skin.regions import UNKNOWN, Region, standard_error


def test_the_mean_is_over_the_mask_only() -> None:
    values = np.zeros((64, 64), np.float32)
    values[:, :32] = 7
    mask = np.zeros((64, 64), np.bool_)
    mask[:, :32] = True
    assert Region(mask).mean(values) == (7, 0)


def test_the_error_shrinks_like_that_of_independent_blocks() -> None:
    rng = np.random.default_rng(0)
    blocks = rng.normal(10, 2, (8, 8)).astype(np.float32)
    values = np.kron(blocks, np.ones((16, 16), np.float32))
    value, error = Region(np.ones(values.shape, np.bool_)).mean(values)
    assert value == pytest.approx(blocks.mean(), abs=1e-4)
    assert error == pytest.approx(blocks.std(ddof=1) / 8, abs=1e-4)


def test_a_region_of_under_64_pixels_is_not_measured() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[0, :63] = True
    assert Region(mask).mean(np.ones((64, 64), np.float32)) == UNKNOWN


def test_a_small_region_far_from_the_origin_has_blocks_too() -> None:
    values = np.random.default_rng(1).normal(0, 1, (512, 512)).astype(np.float32)
    mask = np.zeros((512, 512), np.bool_)
    mask[470:500, 480:505] = True
    assert Region(mask).mean(values)[1] is not None


def test_fewer_than_four_blocks_give_no_error() -> None:
    assert standard_error(np.array([1.0, 2.0, 3.0])) is None
    assert standard_error(np.array([1.0, 1.0, 3.0, 3.0])) == pytest.approx(np.sqrt(4 / 3) / 2)


def test_a_region_may_have_to_fill_a_share_of_the_photo() -> None:
    mask = np.zeros((100, 100), np.bool_)
    mask[:4] = True
    assert Region(mask).usable
    assert not Region(mask, least_share=0.05).usable

from __future__ import annotations

import numpy as np
import pytest

from ml.skin.declaration import Measure
from ml.skin.regions import Region, standard_error

SOME = Measure("some", "Some", "u", direction="more", description="Some measure.", method="m")


def test_the_mean_is_over_the_mask_only() -> None:
    values = np.zeros((64, 64), np.float32)
    values[:, :32] = 7
    mask = np.zeros((64, 64), np.bool_)
    mask[:, :32] = True
    measured = Region("left", mask).mean(SOME, values)
    assert measured.value == 7
    assert measured.uncertainty == 0
    assert measured.region == "left"


def test_the_error_shrinks_like_that_of_independent_blocks() -> None:
    rng = np.random.default_rng(0)
    blocks = rng.normal(10, 2, (8, 8)).astype(np.float32)
    values = np.kron(blocks, np.ones((16, 16), np.float32))
    measured = Region("skin", np.ones(values.shape, np.bool_)).mean(SOME, values)
    assert measured.value == pytest.approx(blocks.mean(), abs=1e-4)
    assert measured.uncertainty == pytest.approx(blocks.std(ddof=1) / 8, abs=1e-4)


def test_a_region_of_under_64_pixels_is_not_measured() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[0, :63] = True
    measured = Region("sliver", mask).mean(SOME, np.ones((64, 64), np.float32))
    assert measured.value is None
    assert measured.uncertainty is None


def test_a_small_region_far_from_the_origin_has_blocks_too() -> None:
    values = np.random.default_rng(1).normal(0, 1, (512, 512)).astype(np.float32)
    mask = np.zeros((512, 512), np.bool_)
    mask[470:500, 480:505] = True
    assert Region("mole", mask).mean(SOME, values).uncertainty is not None


def test_fewer_than_four_blocks_give_no_error() -> None:
    assert standard_error(np.array([1.0, 2.0, 3.0])) is None
    assert standard_error(np.array([1.0, 1.0, 3.0, 3.0])) == pytest.approx(np.sqrt(4 / 3) / 2)


def test_a_region_may_have_to_fill_a_share_of_the_photo() -> None:
    mask = np.zeros((100, 100), np.bool_)
    mask[:4] = True
    assert Region("skin", mask).usable
    assert not Region("skin", mask, least_share=0.05).usable

"""Photos averaged by area: the mean of what each pixel of the result covers, whatever the factor."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.imaging.reduce import average
from ml.skin.colour import shrink
from tests.unit.ml.photo_files import noise

SIZES = [((1200, 1600), (384, 512)), ((97, 61), (40, 13)), ((31, 64), (31, 7)), ((50, 33), (7, 33)), ((5, 3), (1, 1))]


def covered(source: int, target: int) -> NDArray[np.float64]:
    """The share (target, source) that each source pixel has in each of the result's."""
    edges = np.arange(target + 1) * source / target
    pixels = np.arange(source)
    shared = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return shared.clip(0) * target / source


def mean_of_covered(photo: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float64]:
    down, across = covered(photo.shape[0], height), covered(photo.shape[1], width)
    return np.einsum("ij,jkc,lk->ilc", down, photo.astype(np.float64), across, optimize=True)


@pytest.mark.parametrize(("source", "target"), SIZES)
def test_each_pixel_is_the_mean_of_what_it_covers(source: tuple[int, int], target: tuple[int, int]) -> None:
    photo = noise(source[1], source[0])
    found = average(photo, *target)
    assert found.dtype == np.float32
    assert np.abs(found - mean_of_covered(photo, *target)).max() < 1e-3


def test_a_part_of_a_photo_is_averaged_like_a_photo() -> None:
    photo = noise(90, 70)
    part = photo[5:65, 10:80]
    assert np.array_equal(average(part, 21, 30), average(part.copy(), 21, 30))


@pytest.mark.parametrize("size", [(1200, 1600), (1536, 2048), (777, 1024), (513, 400)])
def test_a_smaller_copy_is_the_nearest_code_to_that_mean(size: tuple[int, int]) -> None:
    photo = noise(size[1], size[0])
    copy = shrink(photo, 512)
    mean = mean_of_covered(photo, *copy.shape[:2])
    assert copy.dtype == np.uint8
    assert np.abs(copy - mean).max() < 0.501

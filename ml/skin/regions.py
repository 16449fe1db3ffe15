"""A masked part of a photo, and the mean of a map inside it with a standard error from image blocks.

Neighbouring pixels are not independent, so the error of a mean is taken from the means of the blocks of a
grid. It says how much the skin in the photo varies; it knows nothing of the light or the camera, which may
shift all blocks together.
"""

from __future__ import annotations

import math
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.declaration import Measure
from ml.values import Mask, Measurement

Floats = NDArray[np.float32]

GRID = 8  # blocks along each side of the region's bounding box, so that a small region has blocks too
MIN_PIXELS = 64  # fewer tell nothing of a region
_MIN_BLOCKS = 4
_MIN_FILLED = 0.25  # share of a block that must lie in the region


class Region:
    """A named mask (H, W). ``usable`` is False where it holds fewer than 64 pixels, or less than ``least_share``
    (0–1) of the photo."""

    def __init__(self, name: str, mask: Mask, least_share: float = 0.0) -> None:
        self.name = name
        self.mask = mask
        self.pixels = int(np.count_nonzero(mask))
        self.usable = self.pixels >= max(MIN_PIXELS, least_share * mask.size)

    def mean(self, measure: Measure, values: Floats) -> Measurement:
        """``measure``: the mean of ``values`` (H, W) in the region with its standard error; None where it is not
        usable."""
        if not self.usable:
            return measure.measurement(self.name)
        value, blocks = self.means(values)
        return measure.measurement(self.name, value, standard_error(blocks))

    def means(self, values: Floats) -> tuple[float, NDArray[np.float64]]:
        """The mean of the region's ``values`` (H, W), and their means over each block that it fills to a quarter."""
        sums = self._blocks.sums(values)
        return float(sums.sum()) / self.pixels, self._blocks.means(sums)

    def deviation(self, values: Floats) -> float:
        """The standard deviation of the region's ``values`` (H, W)."""
        return deviation(values[self._blocks.box], self._blocks.inside)

    @cached_property
    def _blocks(self) -> _Blocks:
        return _Blocks(self.mask)


class _Blocks:
    """The blocks of a mask's bounding box."""

    def __init__(self, mask: Mask) -> None:
        left, top, wide, high = cv2.boundingRect(mask.view(np.uint8))
        self.box = (slice(top, top + high), slice(left, left + wide))
        self.inside = np.ascontiguousarray(mask[self.box]).view(np.uint8)
        self._rows, self._columns = _blocks_of(high), _one_hot(wide)
        self._counts = self._sums(self.inside)
        self._full = self._counts.sum() == high * wide
        self._filled = self._counts >= max(1.0, _MIN_FILLED * high * wide / GRID**2)

    def sums(self, values: Floats) -> NDArray[np.float64]:
        """Sums (8, 8) of the masked ``values`` (H, W) over each block."""
        boxed = values[self.box]
        return self._sums(boxed if self._full else np.asarray(cv2.copyTo(boxed, self.inside), np.float32))

    def means(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means (n,) of the blocks that are filled enough."""
        return np.asarray(sums[self._filled] / self._counts[self._filled])

    def _sums(self, inside: Floats | NDArray[np.uint8]) -> NDArray[np.float64]:
        # Rows would be two products of matrices as well, but so large that some libraries start threads for the first.
        return np.asarray(np.stack([_column_sums(inside[rows]) for rows in self._rows]) @ self._columns, np.float64)


def _blocks_of(length: int) -> tuple[slice, ...]:
    """Which of so many rows are each block's; of fewer than eight, some have none."""
    edges = [-(-block * length // GRID) for block in range(GRID + 1)]
    return tuple(map(slice, edges[:-1], edges[1:]))


def _one_hot(length: int) -> Floats:
    """(length, 8): which of the blocks each column lies in."""
    return np.asarray(np.arange(length)[:, None] * GRID // length == np.arange(GRID), np.float32)


def _column_sums(values: Floats | NDArray[np.uint8]) -> Floats:
    """Sums (w,) of ``values`` (h, w), of which h may be 0."""
    if not len(values):
        return np.zeros(values.shape[1], np.float32)
    return np.asarray(cv2.reduce(values, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F)[0], np.float32)


def deviation(values: Floats, inside: NDArray[np.uint8]) -> float:
    """The standard deviation of ``values`` where ``inside``, (h, w) both, is 1: what OpenCV's own costs is its mask."""
    pixels = cv2.countNonZero(inside)
    off = values - np.float32(total(values, inside) / pixels)
    return math.sqrt(cv2.norm(off, cv2.NORM_L2SQR, inside) / pixels)


def total(values: Floats, inside: NDArray[np.uint8]) -> float:
    """The sum of ``values`` where ``inside``, (h, w) both, is 1."""
    return float(cv2.sumElems(cv2.copyTo(values, inside))[0])


def standard_error(means: NDArray[np.float64]) -> float | None:
    """Standard error of the mean from block means (n,); None with fewer than four blocks."""
    if len(means) < _MIN_BLOCKS:
        return None
    return float(means.std(ddof=1) / np.sqrt(len(means)))

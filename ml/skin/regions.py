"""Statistics of masked parts of a photo: means with a standard error, medians, percentiles and connected parts.

Neighbouring pixels are not independent, so the standard error of a mean is computed from the means of blocks. It
describes how much the skin in the photo varies. It does not include light and camera, which change all blocks together.

The median and the percentiles use histograms, because sorting all pixels takes several times as long.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import Bytes, Doubles, Floats, Mask

Labels = NDArray[np.int32]
#: a value and its uncertainty; both may be None
Value = tuple[float | None, float | None]
UNKNOWN: Value = (None, None)

GRID = 8  # blocks along each side of the region's bounding box
MIN_PIXELS = 64  # smaller regions are not measured
_MIN_BLOCKS = 4
_MIN_FILLED = 0.25  # smallest share of a block that lies in the region


class Region:
    """A mask (H, W) to measure in. ``usable`` is False if it has fewer than 64 pixels, or less than ``least_share``
    (0–1) of the photo."""

    def __init__(self, mask: Mask, least_share: float = 0.0) -> None:
        self.mask = mask
        self.pixels = int(np.count_nonzero(mask))
        self.usable = self.pixels >= max(MIN_PIXELS, least_share * mask.size)

    def mean(self, values: Floats) -> Value:
        """The mean of ``values`` (H, W) in the region and its standard error; unknown if the region is not usable."""
        if not self.usable:
            return UNKNOWN
        value, blocks = self.means(values)
        return value, standard_error(blocks)

    def means(self, values: Floats) -> tuple[float, Doubles]:
        """The mean of ``values`` (H, W) in the region, and the means (n,) of all blocks of which at least a quarter
        lies in the region."""
        sums = _block_sums(np.asarray(cv2.copyTo(values[self._box], self._inside), np.float32))
        filled = self._counts >= max(1.0, _MIN_FILLED * self._inside.size / GRID**2)
        return float(sums.sum()) / self.pixels, sums[filled] / self._counts[filled]

    def deviation(self, values: Floats) -> float:
        """The standard deviation of ``values`` (H, W) in the region."""
        return deviation(values[self._box], self._inside)

    @cached_property
    def _box(self) -> tuple[slice, slice]:
        left, top, wide, high = cv2.boundingRect(self.mask.view(np.uint8))
        return slice(top, top + high), slice(left, left + wide)

    @cached_property
    def _inside(self) -> Bytes:
        return np.ascontiguousarray(self.mask[self._box]).view(np.uint8)

    @cached_property
    def _counts(self) -> Doubles:
        return _block_sums(self._inside)


def _block_sums(values: Floats | Bytes) -> Doubles:
    """The sum of ``values`` (h, w) in each block of the grid (8, 8). A side under 8 px has a block for each pixel."""
    rows, columns = (np.unique(-(-np.arange(GRID + 1) * length // GRID)) for length in values.shape)
    by_row = [cv2.reduce(values[a:b], 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F)[0] for a, b in pairwise(rows)]
    return np.add.reduceat(np.array(by_row, np.float64), columns[:-1], axis=1)


def deviation(values: Floats, inside: Bytes) -> float:
    """The standard deviation of ``values`` where ``inside`` is 1, (h, w) both. Faster than cv2.meanStdDev."""
    pixels = cv2.countNonZero(inside)
    off = values - np.float32(total(values, inside) / pixels)
    return math.sqrt(cv2.norm(off, cv2.NORM_L2SQR, inside) / pixels)


def total(values: Floats, inside: Bytes) -> float:
    """The sum of ``values`` where ``inside`` is 1, (h, w) both."""
    return float(cv2.sumElems(cv2.copyTo(values, inside))[0])


def standard_error(means: Doubles) -> float | None:
    """The standard error of the mean, from the means of n blocks (n,). None with fewer than four blocks."""
    if len(means) < _MIN_BLOCKS:
        return None
    return float(means.std(ddof=1) / np.sqrt(len(means)))


def median(values: Floats) -> float:
    """The median of ``values`` (n,), n ≥ 1. A histogram finds the bin of the median, and only this bin is sorted."""
    low, high = float(values.min()), float(values.max())
    scale = 255 / ((high - low) or 1)
    bins = np.asarray(cv2.convertScaleAbs(values, alpha=scale, beta=-low * scale), np.uint8).ravel()
    upto = _cumulative(bins)
    middle = np.array([(len(values) - 1) // 2, len(values) // 2])
    first, last = np.searchsorted(upto, middle, side="right").tolist()
    near = np.sort(values.compress((bins >= first) & (bins <= last)))
    before = int(upto[first - 1]) if first else 0
    return float(near[middle - before].mean())


def percentiles(codes: Bytes, *percents: float) -> list[float]:
    """The percentiles ``percents`` (0–100) of 8-bit ``codes`` (H, W), interpolated between codes."""
    upto = _cumulative(codes)
    ranks = (codes.size - 1) * np.array(percents) / 100
    below, above = (np.searchsorted(upto, edge, side="right") for edge in (np.floor(ranks), np.ceil(ranks)))
    return [float(value) for value in below + (above - below) * (ranks % 1)]


def _cumulative(codes: Bytes) -> Doubles:
    """The number of ``codes`` that are at most 0, 1, … 255, (256,)."""
    return np.cumsum(cv2.calcHist([codes], [0], None, [256], [0, 256]), dtype=np.float64)


def labelled(mask: Mask, connectivity: int) -> tuple[Labels, NDArray[np.intp]]:
    """The numbers (H, W) of the connected parts of ``mask`` (H, W), from 1 on, and the pixels of each part. Number 0,
    the background, has 0 pixels. OpenCV's function with statistics takes several times as long.
    """
    number, found = cv2.connectedComponents(mask.view(np.uint8), connectivity=connectivity)
    labels = np.asarray(found, np.int32)
    return labels, count(labels, mask, number)


def count(labels: Labels, some: Mask, number: int) -> NDArray[np.intp]:
    """The number of pixels (number,) that each label has in the mask ``some``."""
    return np.bincount(labels[some], minlength=number)

"""A masked part of a photo, and the mean of a map inside it with a standard error from image blocks.

Neighbouring pixels are not independent, so the error of a mean is taken from the means of the blocks of a
grid. It says how much the skin in the photo varies; it knows nothing of the light or the camera, which may
shift all blocks together.
"""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

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

    def mean(self, name: str, values: Floats, unit: str, method: str) -> Measurement:
        """The mean of ``values`` (H, W) in the region with its standard error; None where it is not usable."""
        if not self.usable:
            return Measurement(name, None, unit, method, self.name)
        sums = self._blocks.sums(values)
        value, error = float(sums.sum()) / self.pixels, standard_error(self._blocks.means(sums))
        return Measurement(name, value, unit, method, self.name, error)

    def block_means(self, values: Floats) -> NDArray[np.float64]:
        """Means of the region's ``values`` (H, W) over each block that it fills to a quarter or more."""
        return self._blocks.means(self._blocks.sums(values))

    @cached_property
    def _blocks(self) -> _Blocks:
        return _Blocks(self.mask)


class _Blocks:
    """The blocks of a mask's bounding box. Sums over them are two products with matrices of zeros and ones."""

    def __init__(self, mask: Mask) -> None:
        left, top, wide, high = cv2.boundingRect(mask.view(np.uint8))
        self._box = (slice(top, top + high), slice(left, left + wide))
        self._inside = mask[self._box]
        self._rows, self._columns = _one_hot(high), _one_hot(wide).T
        self._counts = self.sums(np.ones_like(mask, np.float32))
        self._filled = self._counts >= max(1.0, _MIN_FILLED * high * wide / GRID**2)

    def sums(self, values: Floats) -> NDArray[np.float64]:
        """Sums (8, 8) of the masked ``values`` (H, W) over each block."""
        inside = values[self._box] * self._inside
        return np.asarray(self._rows @ inside @ self._columns, np.float64)

    def means(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means (n,) of the blocks that are filled enough."""
        return np.asarray(sums[self._filled] / self._counts[self._filled])


def _one_hot(length: int) -> Floats:
    """(8, length): which of the blocks each row, or column, lies in."""
    return np.asarray(np.arange(GRID)[:, None] == np.arange(length) * GRID // length, np.float32)


def standard_error(means: NDArray[np.float64]) -> float | None:
    """Standard error of the mean from block means (n,); None with fewer than four blocks."""
    if len(means) < _MIN_BLOCKS:
        return None
    return float(means.std(ddof=1) / np.sqrt(len(means)))

"""A masked part of a photo, and the mean of a map inside it with a standard error from image blocks.

Neighbouring pixels are not independent, so the error of a mean is taken from the means of the blocks of a
grid. It says how much the skin in the photo varies; it knows nothing of the light or the camera, which may
shift all blocks together.
"""

from __future__ import annotations

from functools import cached_property

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
        inside = values[self.mask]
        value, error = float(inside.mean(dtype=np.float64)), standard_error(self.block_means(inside))
        return Measurement(name, value, unit, method, self.name, error)

    def block_means(self, inside: Floats) -> NDArray[np.float64]:
        """Means of ``inside``, the region's pixels in row order, over each block filled to a quarter or more."""
        blocks, counts, filled = self._blocks
        sums = np.bincount(blocks, weights=inside, minlength=GRID * GRID)
        return np.asarray(sums[filled] / counts[filled])

    @cached_property
    def _blocks(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Mask]:
        """The block number of each pixel, the pixels in each block, and which blocks are filled enough."""
        rows, columns = np.nonzero(self.mask)
        rows, columns = rows - rows.min(), columns - columns.min()
        high, wide = rows.max() + 1, columns.max() + 1
        blocks = rows * GRID // high * GRID + columns * GRID // wide
        counts = np.bincount(blocks, minlength=GRID * GRID)
        return blocks, counts, counts >= max(1.0, _MIN_FILLED * high * wide / GRID**2)


def standard_error(means: NDArray[np.float64]) -> float | None:
    """Standard error of the mean from block means (n,); None with fewer than four blocks."""
    if len(means) < _MIN_BLOCKS:
        return None
    return float(means.std(ddof=1) / np.sqrt(len(means)))

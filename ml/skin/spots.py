"""Spots on skin, counted: separate patches that are darker, redder or paler than bare skin, touching ones split."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import to_side
from ml.skin.conspicuity import conspicuity
from ml.skin.patches import Box, Thresholds, find_patches
from ml.skin.regions import Region
from ml.values import RGB, Mask, Measurement

Floats = NDArray[np.float32]

_SIDE = 384  # long side on which spots are counted: a spot needs five pixels
_THRESHOLDS = Thresholds(low=3.5, peak=5.0, least=30, beside=0.04, outline=0.45)
_LEAST = (0.007, 0.32)  # what bare skin varies by, in density and codes: less than where only lesions are sought
_ROUND = 0.2  # of a spot's area must fit into the largest disc in it: hairs, folds and edges are longer
_STEP = 0.3  # by which the thresholds are moved to tell how sure a count is
_WAIST = 0.6  # of a patch's greatest half width: narrower than this between two parts, and they are two spots
_METHOD = (
    "separate patches that stand out from bare skin (Mahalanobis distance of optical densities), "
    "touching ones split at their waist (distance transform); uncertainty: the greatest change at thresholds 30% lower "
    "and higher, and what counts moved by as the photo was changed"
)


def measure_spots(rgb: RGB, skin: Region) -> tuple[Measurement, ...]:
    """How many spots ``skin`` of ``rgb`` (H, W, 3) has, and the share of it that they cover.

    Spots under five pixels of a copy of 384 px are not seen: counts of a distant photo are too low.
    """
    maps = _masks(rgb, skin.mask) if skin.usable else None
    counts = None if maps is None else [float(count_spots(mask)) for mask in maps]
    shares = None if maps is None else [float(mask.mean()) / float(skin.mask.mean()) for mask in maps]
    return (
        _measurement("spot_count", counts, 0.5, "spots", skin.name),
        _measurement("spot_area", shares, 0.002, f"share of {skin.name}", skin.name),
    )


def count_spots(mask: Mask) -> int:
    """The parts of ``mask`` (H, W), one that narrows to a waist counted as the parts beside it."""
    return sum(
        cv2.connectedComponents((depth > _WAIST * depth.max()).view(np.uint8))[0] - 1 for _, depth in _parts(mask)
    )


def _masks(rgb: RGB, skin: Mask) -> list[Mask] | None:
    """The spots at the usual thresholds, and at a step lower and higher."""
    small = to_side(rgb, _SIDE)
    inside = cv2.resize(skin.view(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST).view(np.bool_)
    distance = conspicuity(small, inside, _LEAST)
    if distance is None:
        return None
    return [_rounded(find_patches(distance, inside, _THRESHOLDS.moved(1 + step))) for step in (0, -_STEP, _STEP)]


def _rounded(mask: Mask) -> Mask:
    """``mask`` (H, W) without its long thin parts."""
    kept = np.zeros_like(mask)
    for box, depth in _parts(mask):
        if np.pi * float(depth.max()) ** 2 >= _ROUND * np.count_nonzero(depth):
            kept[box] |= depth > 0
    return kept


def _parts(mask: Mask) -> Iterator[tuple[Box, Floats]]:
    """The boxes of the connected parts of ``mask`` (H, W), and how far each pixel of a part lies from its edge or the
    photo's, 0 beside it."""
    framed = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    for label in range(1, count):
        left, top, wide, high, _ = stats[label].tolist()
        box = slice(top, top + high), slice(left, left + wide)
        yield box, np.where(labels[box] == label, depth[box], np.float32(0))


def _measurement(name: str, values: list[float] | None, least: float, unit: str, region: str) -> Measurement:
    if values is None:
        return Measurement(name, None, unit, _METHOD, region)
    return Measurement(name, values[0], unit, _METHOD, region, max(least, *(abs(v - values[0]) for v in values)))

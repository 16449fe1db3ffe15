"""Spots on skin, counted: separate patches that are darker, redder or paler than bare skin, touching ones split."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import to_side
from ml.skin.conspicuity import BareSkin, conspicuity
from ml.skin.declaration import Measure
from ml.skin.patches import Codes, Thresholds, all_patches, draw_patches, find_patches, framed, solid_parts
from ml.skin.regions import Region
from ml.values import RGB, Mask, Measurement

Floats = NDArray[np.float32]

_SIDE = 384  # long side on which spots are counted: a spot needs five pixels
_THRESHOLDS = Thresholds(low=3.5, peak=5.0, least=30, beside=0.04, outline=0.45)
_BARE = BareSkin(density=0.008, codes=0.32, mottled=True)  # spots are smaller than what skin is mottled by
_ROUND = 0.2  # of a spot's area must fit into the largest disc in it: hairs, folds and edges are longer
# What tells how sure a count is: other heights, and other sizes that a spot must have beside the largest.
_HEIGHTS, _SIZES = (0.7, 1.3), (0.25, 2.5)
_DOUBTFUL = 0.25  # of the skin: what covers so much may as well be no spot
_RESERVE = 1.2  # of the changes: between the heights tried, more may come and go
_WAIST = 0.7  # of a patch's greatest half width: narrower than this between two parts, and they are two spots
_METHOD = (
    "separate patches that stand out from bare skin (Mahalanobis distance of optical densities), "
    "touching ones split at their waist (distance transform); uncertainty: the changes at thresholds 30% lower and "
    "higher and with other least sizes, and what it moved by on changed photos, as the root of the sum of squares"
)
COUNT = Measure(
    name="spot_count",
    label="Spots",
    unit="spots",
    direction="more spots",
    description="How many separate patches are darker, redder or paler than the skin around them. A distant photo "
    "shows too few.",
    method=_METHOD,
)
AREA = Measure(
    name="spot_area",
    label="Skin covered by spots",
    unit="share of skin",
    direction="more of the skin covered",
    description="How much of the skin the spots cover.",
    method=_METHOD,
)
MEASURES = (COUNT, AREA)


def measure_spots(rgb: RGB, skin: Region) -> tuple[Measurement, ...]:
    """How many spots ``skin`` of ``rgb`` (H, W, 3) has, and the share of it that they cover.

    Spots under five pixels of a copy of 384 px are not seen: counts of a distant photo are too low.
    """
    small = to_side(rgb, _SIDE)
    inside = cv2.resize(skin.mask.view(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST).view(np.bool_)
    distance = conspicuity(small, inside, _BARE) if skin.usable else None
    counts = shares = None
    if distance is not None:
        found = list(map(_round_parts, _readings(distance, inside)))
        counts = [float(sum(map(_spots, depths))) for depths in found]
        pixels = inside.size * skin.pixels / skin.mask.size
        shares = [sum(map(cv2.countNonZero, depths)) / pixels for depths in found]
        if shares[0] > _DOUBTFUL:
            shares.append(0.0)
    return (
        _measurement(COUNT, counts, 0.5, skin.name),
        _measurement(AREA, shares, 0.002, skin.name),
    )


def _readings(distance: Floats, skin: Mask) -> Iterator[Mask]:
    """The spots in ``skin`` (H, W), and what else they may be."""
    patches = all_patches(distance, skin, replace(_THRESHOLDS, beside=_THRESHOLDS.beside * min(_SIZES)))
    for factor in (1.0, *_SIZES):
        yield draw_patches(patches, skin.shape, _THRESHOLDS.beside * factor)
    for factor in _HEIGHTS:
        yield find_patches(distance, skin, _THRESHOLDS.moved(factor))


def _round_parts(mask: Mask) -> list[Floats]:
    """How far each pixel of a part of ``mask`` (H, W) lies from the part's edge or the photo's, 0 beside it, for each
    connected part in its box that is not long and thin."""
    depths = [_depth(part) for _, part in solid_parts(mask.view(np.uint8))]
    return [depth for depth in depths if np.pi * float(depth.max()) ** 2 >= _ROUND * cv2.countNonZero(depth)]


def _depth(part: Codes) -> Floats:
    return np.asarray(cv2.distanceTransform(framed(part), cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _spots(depth: Floats) -> int:
    """How many a part of depths ``depth`` (H, W) is when it is split at its waist."""
    parts, _ = cv2.connectedComponents((depth > _WAIST * depth.max()).view(np.uint8))
    return int(parts) - 1


def _measurement(measure: Measure, values: list[float] | None, least: float, region: str) -> Measurement:
    if values is None:
        return measure.measurement(region)
    value, *otherwise = values
    spread = max(least, _RESERVE * math.dist(otherwise, [value] * len(otherwise)))
    return measure.measurement(region, value, spread)

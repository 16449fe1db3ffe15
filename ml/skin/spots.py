"""Spots on skin, counted: separate patches that are darker, redder or paler than bare skin, touching ones split."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from ml.skin.colour import to_side
from ml.skin.conspicuity import BareSkin, conspicuity
from ml.skin.declaration import Measure
from ml.skin.frame import Part, once
from ml.skin.outline import Thresholds, all_patches, draw_patches, find_patches, framed, solid_parts
from ml.skin.regions import UNKNOWN, Region, Value
from ml.values import RGB, Bytes, Floats, Mask

_SIDE = 384  # long side on which spots are counted: a spot needs five pixels
_THRESHOLDS = Thresholds(low=3.5, peak=5.0, least=30, beside=0.04, outline=0.45)
_BARE = BareSkin(density=0.008, codes=0.32, mottled=True)  # spots are smaller than mottling
_ROUND = 0.2  # of a spot's area must fit into the largest disc in it: hairs, folds and edges are longer
# Other heights, and other sizes that a spot must have beside the largest, show how certain a count is.
_HEIGHTS, _SIZES = (0.7, 1.3), (0.25, 2.5)
_DOUBTFUL = 0.25  # of the skin: what covers so much may be no spot
_RESERVE = 1.2  # of the changes: between the heights tried, more may come and go
_WAIST = 0.7  # of a patch's greatest half width: narrower than this between two parts, and they are two spots


@once
def _spots(part: Part) -> tuple[Value, Value]:
    return measure_spots(part.frame.copy, part.region)


def measure_spots(rgb: RGB, skin: Region) -> tuple[Value, Value]:
    """The number of spots on ``skin`` of ``rgb`` (H, W, 3), and the share of it that they cover.

    Spots under five pixels of a copy of 384 px are not seen: counts of a distant photo are too low.
    """
    if not skin.usable:
        return UNKNOWN, UNKNOWN
    small = to_side(rgb, _SIDE)
    inside = cv2.resize(skin.mask.view(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST).view(np.bool_)
    distance = conspicuity(small, inside, _BARE)
    if distance is None:
        return UNKNOWN, UNKNOWN
    found = list(map(_round_parts, _readings(distance, inside)))
    pixels = inside.size * skin.pixels / skin.mask.size
    shares = [sum(map(cv2.countNonZero, depths)) / pixels for depths in found]
    if shares[0] > _DOUBTFUL:
        shares.append(0.0)
    return _spread([float(sum(map(_count, depths))) for depths in found], 0.5), _spread(shares, 0.002)


def _readings(distance: Floats, skin: Mask) -> Iterator[Mask]:
    """The spots in ``skin`` (H, W), and what else they may be."""
    patches = list(all_patches(distance, skin, replace(_THRESHOLDS, beside=_THRESHOLDS.beside * min(_SIZES))))
    for factor in (1.0, *_SIZES):
        yield draw_patches(patches, skin.shape, _THRESHOLDS.beside * factor)
    for factor in _HEIGHTS:
        yield find_patches(distance, skin, _THRESHOLDS.scaled(factor))


def _round_parts(mask: Mask) -> list[Floats]:
    """The depths of each connected part of ``mask`` (H, W) that is not long and thin, in its box: how far each pixel
    lies from the part's edge or the photo's, 0 beside it."""
    depths = [_depth(part) for _, part in solid_parts(mask.view(np.uint8))]
    return [depth for depth in depths if np.pi * float(depth.max()) ** 2 >= _ROUND * cv2.countNonZero(depth)]


def _depth(part: Bytes) -> Floats:
    return np.asarray(cv2.distanceTransform(framed(part), cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _count(depth: Floats) -> int:
    """The number of spots in a part of depths ``depth`` (H, W), split at its waist."""
    parts, _ = cv2.connectedComponents((depth > _WAIST * depth.max()).view(np.uint8))
    return int(parts) - 1


def _spread(values: list[float], least: float) -> Value:
    """The first of ``values``, and how far the others differ from it."""
    value, *otherwise = values
    return value, max(least, _RESERVE * math.dist(otherwise, [value] * len(otherwise)))


_METHOD = (
    "separate patches that stand out from bare skin (Mahalanobis distance of optical densities), "
    "touching ones split at their waist (distance transform); uncertainty: the changes at thresholds 30% lower and "
    "higher and with other least sizes, and what it moved by on changed photos, as the root of the sum of squares"
)
MEASURES = (
    Measure(
        name="spot_count",
        label="Spots",
        unit="spots",
        direction="more spots",
        description="How many separate patches are darker, redder or paler than the skin around them. A distant photo "
        "shows too few.",
        method=_METHOD,
        measured=lambda part: _spots(part)[0],
    ),
    Measure(
        name="spot_area",
        label="Skin covered by spots",
        unit="share of skin",
        direction="more of the skin covered",
        description="How much of the skin the spots cover.",
        method=_METHOD,
        measured=lambda part: _spots(part)[1],
    ),
)

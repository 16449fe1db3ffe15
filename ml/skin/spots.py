"""Counts spots on skin: patches that are darker, redder or paler than bare skin. Touching spots are split."""

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
from ml.skin.patches import Thresholds, all_patches, draw_patches, find_patches, framed, solid_parts
from ml.skin.regions import UNKNOWN, Region, Value
from ml.values import RGB, Bytes, Floats, Mask

_SIDE = 384  # long side in pixels on which spots are counted; a spot needs five pixels
_THRESHOLDS = Thresholds(low=3.5, peak=5.0, least=30, beside=0.04, outline=0.45)
_BARE = BareSkin(density=0.008, codes=0.32, mottled=True)  # spots are smaller than mottling
_ROUND = 0.2  # least area of the largest disc in a spot over the spot's area; hairs, folds and edges have less
# Factors of the thresholds and of the least size. The changes of the count with them are its uncertainty.
_HEIGHTS, _SIZES = (0.7, 1.3), (0.25, 2.5)
_DOUBTFUL = 0.25  # share of the skin; if spots cover more, they may not be spots
_RESERVE = 1.2  # factor of the uncertainty, because thresholds between those tried may change more
_WAIST = 0.7  # of a patch's largest half width; if it is narrower between two parts, these are two spots


@once
def _spots(part: Part) -> tuple[Value, Value]:
    return measure_spots(part.frame.copy, part.region)


def measure_spots(rgb: RGB, skin: Region) -> tuple[Value, Value]:
    """The number of spots on ``skin`` of ``rgb`` (H, W, 3), and the share of the skin that they cover, 0–1.

    Spots smaller than five pixels on a copy of 384 px are not counted, so the count of a distant photo is too low.
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
    """The mask (H, W) of the spots in ``skin`` (H, W), and the masks with other thresholds and sizes."""
    patches = list(all_patches(distance, skin, replace(_THRESHOLDS, beside=_THRESHOLDS.beside * min(_SIZES))))
    for factor in (1.0, *_SIZES):
        yield draw_patches(patches, skin.shape, _THRESHOLDS.beside * factor)
    for factor in _HEIGHTS:
        yield find_patches(distance, skin, _THRESHOLDS.scaled(factor))


def _round_parts(mask: Mask) -> list[Floats]:
    """The distance transform of each connected part of ``mask`` (H, W), in its box: the distance of each pixel from the
    edge of the part or of the photo, 0 outside the part. Long and thin parts are left out."""
    depths = [_depth(part) for _, part in solid_parts(mask.view(np.uint8))]
    return [depth for depth in depths if np.pi * float(depth.max()) ** 2 >= _ROUND * cv2.countNonZero(depth)]


def _depth(part: Bytes) -> Floats:
    return np.asarray(cv2.distanceTransform(framed(part), cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _count(depth: Floats) -> int:
    """The number of spots in a part with the distance transform ``depth`` (H, W), after a split at its waists."""
    parts, _ = cv2.connectedComponents((depth > _WAIST * depth.max()).view(np.uint8))
    return int(parts) - 1


def _spread(values: list[float], least: float) -> Value:
    """The first of ``values``, and the root of the sum of squares of the others' differences, times a reserve, or
    ``least`` if that is larger."""
    value, *otherwise = values
    return value, max(least, _RESERVE * math.dist(otherwise, [value] * len(otherwise)))


_METHOD = (
    "separate patches that stand out from bare skin (Mahalanobis distance of optical densities), split at their waists "
    "(distance transform); uncertainty: the root of the sum of squares of its changes at thresholds 30% lower and "
    "higher, with other least sizes, and on altered photos"
)
MEASURES = (
    Measure(
        name="spot_count",
        label="Spots",
        unit="spots",
        direction="more spots",
        description="The number of separate patches that are darker, redder or paler than bare skin. The count of a "
        "distant photo is too low.",
        method=_METHOD,
        measured=lambda part: _spots(part)[0],
    ),
    Measure(
        name="spot_area",
        label="Skin covered by spots",
        unit="share of skin",
        direction="more of the skin covered",
        description="How much of the skin is covered by spots.",
        method=_METHOD,
        measured=lambda part: _spots(part)[1],
    ),
)

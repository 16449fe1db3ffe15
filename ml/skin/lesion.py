"""Where lesions stand out of the skin around them, and which skin lies around them.

Geometry to measure by, not a diagnosis: patches that differ from bare skin far more than bare skin does from itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import shrink
from ml.skin.conspicuity import conspicuity
from ml.values import RGB, Mask

Floats = NDArray[np.float32]

_SIDE = 256  # long side on which outlines are found
_LOW = 4.0  # standard deviations from bare skin: where a patch begins …
_PEAK = 6.0  # … and what a tenth of it must reach
_OUTLINE = 0.4  # of a patch's own height, where that is above _LOW: an edge blurred by the lens lies near its middle
_STEP = 0.15  # by which both thresholds are moved to tell how sure an outline is
_SPECK = 0.0006  # of the photo; smaller patches are pores and noise
_BESIDE = 0.04  # of the largest patch's area; smaller ones beside it are not what the photo was taken for
_WHOLE = 0.75  # of a patch must itself stand out, or it is a ring, which is kept with what it encloses
_CLOSED, _LEFT = 0.7, 0.3  # of a ring, or patch, that must be left when it is drawn in; less, and it fell apart
_MOST = 0.90  # of the skin: more leaves nothing to compare with
_ENCLOSED = 0.5  # of a patch's border must face skin: shadow and background reach in from an edge
_GUARD, _RING = 0.02, 0.08  # of the photo's long side: the border left out, and the width of the ring beyond

_SQUARE = np.ones((3, 3), np.uint8)

Box = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Lesions in a photo, (H, W) each: ``mask``, and the same at thresholds a step lower (``wide``) and higher
    (``narrow``), all False where nothing is left of them."""

    mask: Mask
    wide: Mask
    narrow: Mask


def lesion_mask(rgb: RGB, skin: Mask) -> Mask | None:
    """Everything in ``rgb`` (H, W, 3) that stands out of ``skin`` (H, W), or None where nothing does."""
    found = segment_lesion(rgb, skin)
    return None if found is None else found.mask


def segment_lesion(rgb: RGB, skin: Mask) -> Segmentation | None:
    """``lesion_mask`` with the outlines that other thresholds would have given."""
    height, width = skin.shape
    small = shrink(rgb, _SIDE)
    inside = cv2.resize(skin.view(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST).view(np.bool_)
    distance = conspicuity(small, inside)
    if distance is None:
        return None
    found = _find(distance, inside, 1.0)
    if not found.any() or np.count_nonzero(found) > _MOST * np.count_nonzero(inside):
        return None
    wide, narrow = (_find(distance, inside, scale) for scale in (1 - _STEP, 1 + _STEP))
    return Segmentation(*(_enlarge(mask, (width, height)) & skin for mask in (found, wide, narrow)))


def surroundings(lesion: Mask, skin: Mask) -> Mask:
    """A ring of ``skin`` around ``lesion``, a little off its border, which belongs to neither."""
    side = max(lesion.shape)
    reach = (_GUARD + _RING) * side
    near = _within(lesion, math.ceil(reach))
    distance = cv2.distanceTransform((~lesion[near]).view(np.uint8), cv2.DIST_L2, 5)
    ring = np.zeros_like(skin)
    ring[near] = skin[near] & (distance > _GUARD * side) & (distance <= reach)
    return ring


def _within(mask: Mask, margin: int) -> Box:
    """The rows and columns of ``mask``'s bounding box and ``margin`` pixels around it."""
    left, top, wide, high = cv2.boundingRect(mask.view(np.uint8))
    return (
        slice(max(0, top - margin), top + high + margin),
        slice(max(0, left - margin), left + wide + margin),
    )


def _enlarge(mask: Mask, size: tuple[int, int]) -> Mask:
    """``mask`` at ``size`` (width, height), its outline drawn between the pixels rather than along them."""
    grown = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown > 0.5, np.bool_)


def _find(distance: Floats, skin: Mask, scale: float) -> Mask:
    """The patches of ``skin`` that stand out, by thresholds moved by ``scale``."""
    low = _LOW * scale
    found, framed = np.zeros_like(skin), np.pad(skin, 1)
    kept = [
        (box, patch)
        for box, region in _patches(skin & (distance > low), 5)
        if (patch := _outline(distance[box], region, low, scale)) is not None
        and _facing(box, patch, framed) >= _ENCLOSED
    ]
    largest = max((np.count_nonzero(patch) for _, patch in kept), default=0)
    for box, patch in kept:
        if np.count_nonzero(patch) >= _BESIDE * largest:
            found[box] |= patch
    return found


def _patches(mask: Mask, opening: int) -> Iterator[tuple[Box, Mask]]:
    """The connected parts of ``mask`` in their bounding boxes, without specks and with their holes filled."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(_solid(mask, opening).view(np.uint8), connectivity=4)
    for label, (left, top, wide, high, area) in enumerate(stats.tolist()):
        if label and area >= _SPECK * mask.size:
            box = slice(top, top + high), slice(left, left + wide)
            yield box, labels[box] == label


def _outline(distance: Floats, region: Mask, low: float, scale: float) -> Mask | None:
    """``region`` drawn in to where it reaches a part of its own height; None where it never stands out clearly."""
    standing = region & (distance > low)
    high, peak = np.percentile(distance[standing], (75, 90))
    if peak < _PEAK:
        return None
    area = np.count_nonzero(region)
    drawn = _solid(region & (distance > max(low, _OUTLINE * scale * high)), 3)
    is_ring = np.count_nonzero(standing) < _WHOLE * area
    least = _CLOSED if is_ring else _LEFT
    return drawn if np.count_nonzero(drawn) >= least * area else region


def _solid(mask: Mask, opening: int) -> Mask:
    """``mask`` without what is narrower than ``opening`` pixels, its holes filled."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (opening, opening))
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, kernel)
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return filled.view(np.bool_)


def _facing(box: Box, patch: Mask, framed: Mask) -> float:
    """The share of the patch's outer border that is skin within the photo; ``framed``: skin with a pixel around it."""
    padded = cv2.copyMakeBorder(patch.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    border = np.asarray(cv2.dilate(padded, _SQUARE) - padded, np.uint8)
    rows, columns = box
    around = framed[rows.start : rows.stop + 2, columns.start : columns.stop + 2].view(np.uint8)
    return cv2.countNonZero(border & around) / cv2.countNonZero(border)

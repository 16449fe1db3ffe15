"""Patches of skin that stand out: from a map of how far each pixel does, to outlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import Mask

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]
Box = tuple[slice, slice]

_OUTLINE = 0.4  # of a patch's own height, where that is above the least: a blurred edge lies near its middle
_WHOLE = 0.75  # of a patch must itself stand out, or it is a ring, which is kept with what it encloses
_CLOSED, _LEFT = 0.7, 0.3  # of a ring, or patch, that must be left when it is drawn in; less, and it fell apart
_ENCLOSED = 0.5  # of a patch's border must face skin: shadow and background reach in from an edge
_IN_CORNER = 0.65  # and of one in a corner, where lenses darken a photo
_RAISED = 1.3  # the step by which a threshold is raised
_SQUARE = np.ones((3, 3), np.uint8)
_KERNELS = {size: cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) for size in (3, 5)}


@dataclass(frozen=True)
class Thresholds:
    """What counts as a patch. ``low`` and ``peak``: standard deviations from bare skin where one begins, and which a
    tenth of it must reach. ``least``: pixels. ``beside``: share of the largest patch's area that the others must have.
    """

    low: float
    peak: float
    least: float
    beside: float
    outline: float = _OUTLINE

    def moved(self, factor: float) -> Thresholds:
        """As if a patch began, stood out clearly, and had its outline, at ``factor`` times the height."""
        return replace(self, low=self.low * factor, peak=self.peak * factor, outline=self.outline * factor)


def find_patches(distance: Floats, skin: Mask, thresholds: Thresholds) -> Mask:
    """The patches of ``skin`` (H, W) that stand out by ``distance`` (H, W), holes filled."""
    return draw_patches(all_patches(distance, skin, thresholds), skin.shape, thresholds.beside)


def all_patches(distance: Floats, skin: Mask, thresholds: Thresholds) -> list[tuple[Box, Codes]]:
    """Those that ``find_patches`` finds, and some smaller ones beside them, each in its box."""
    return list(_patches(distance, skin, thresholds))


def draw_patches(patches: Sequence[tuple[Box, Codes]], shape: tuple[int, ...], beside: float) -> Mask:
    """Those of ``patches`` with a share ``beside`` of the largest one's area or more, in a mask of ``shape`` (H, W)."""
    found = np.zeros(shape, np.bool_)
    areas = [cv2.countNonZero(patch) for _, patch in patches]
    for (box, patch), area in zip(patches, areas, strict=True):
        if area >= beside * max(areas):
            found[box] |= patch.view(np.bool_)
    return found


def _patches(distance: Floats, skin: Mask, thresholds: Thresholds) -> Iterator[tuple[Box, Codes]]:
    """Those of ``skin`` in their boxes, the largest region first. What reaches in from an edge is searched again with a
    higher threshold: a shadow and a lesion may touch."""
    around = framed(skin.view(np.uint8))
    regions = sorted(
        _regions(skin & (distance > thresholds.low), thresholds), key=lambda part: cv2.countNonZero(part[1])
    )
    seeking = [(*part, thresholds) for part in regions]
    largest = 0
    while seeking:
        box, region, raised = seeking.pop()
        if cv2.countNonZero(region) < thresholds.beside * largest:
            continue
        patch = _outline(distance[box], region, raised)
        if patch is None:
            continue
        if _facing(box, patch, around) >= (_IN_CORNER if _cornered(box, skin.shape) else _ENCLOSED):
            largest = max(largest, cv2.countNonZero(patch))
            yield box, patch
        elif raised.low * _RAISED < raised.peak:
            raised = replace(raised, low=raised.low * _RAISED)
            within = region.view(np.bool_) & (distance[box] > raised.low)
            seeking += [(_moved(inner, box), part, raised) for inner, part in _regions(within, raised)]


def _moved(inner: Box, box: Box) -> Box:
    """``inner``, a part of ``box``, in the photo."""
    rows, columns = (
        slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(box, inner, strict=True)
    )
    return rows, columns


def _regions(mask: Mask, thresholds: Thresholds) -> Iterator[tuple[Box, Codes]]:
    """The connected parts of ``mask`` in their bounding boxes, without specks and with their holes filled."""
    return solid_parts(_opened(mask.view(np.uint8), 5), thresholds.least)


def _outline(distance: Floats, region: Codes, thresholds: Thresholds) -> Codes | None:
    """``region`` drawn in to where it reaches a part of its own height; None where it never stands out clearly."""
    standing = distance[region.view(np.bool_) & (distance > thresholds.low)]
    if np.count_nonzero(standing > thresholds.peak) < 0.1 * len(standing):
        return None
    upper = 3 * len(standing) // 4
    high = float(np.partition(standing, upper)[upper])
    area = cv2.countNonZero(region)
    drawn = region & (distance > max(thresholds.low, thresholds.outline * high)).view(np.uint8)
    drawn = _solid(_opened(drawn, 3))
    least = _CLOSED if len(standing) < _WHOLE * area else _LEFT
    return drawn if cv2.countNonZero(drawn) >= least * area else region


def solid_parts(mask: Codes, least: float = 1) -> Iterator[tuple[Box, Codes]]:
    """The connected parts of ``mask`` (H, W; 0 or 1) in their bounding boxes, with their holes filled, where that
    makes them ``least`` pixels."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        left, top, wide, high = cv2.boundingRect(contour)
        if wide * high < least:
            continue
        part = np.zeros((high, wide), np.uint8)
        cv2.drawContours(part, [contour], -1, 1, cv2.FILLED, offset=(-left, -top))
        if cv2.countNonZero(part) >= least:
            yield (slice(top, top + high), slice(left, left + wide)), part


def _solid(mask: Codes) -> Codes:
    """``mask`` with its holes filled."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(mask), contours, -1, 1, cv2.FILLED), np.uint8)


def _opened(mask: Codes, size: int) -> Codes:
    """``mask`` without what is narrower than ``size`` pixels."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, _KERNELS[size]), np.uint8)


def framed(mask: Codes) -> Codes:
    """``mask`` (H, W) with a pixel of zeros around it."""
    return np.asarray(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), np.uint8)


def _cornered(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether ``box`` reaches two neighbouring edges of the photo."""
    return all(side.start == 0 or side.stop == length for side, length in zip(box, shape, strict=True))


def _facing(box: Box, patch: Codes, skin: Codes) -> float:
    """The share of the patch's outer border that is skin within the photo; ``skin`` is framed."""
    padded = framed(patch)
    border = np.asarray(cv2.subtract(cv2.dilate(padded, _SQUARE), padded), np.uint8)
    rows, columns = box
    around = skin[rows.start : rows.stop + 2, columns.start : columns.stop + 2]
    return cv2.countNonZero(border & around) / cv2.countNonZero(border)

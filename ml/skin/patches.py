"""Patches that differ from bare skin, for `ml.skin.spots`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ml.values import Bytes, Floats, Mask

Box = tuple[slice, slice]  #: rows and columns

# The drawing of a patch. Its "height" is its distance from bare skin in standard deviations.
_OUTLINE = 0.4  # share of its own height at which a patch is outlined, near the middle of a blurred edge
_WHOLE = 0.75  # if less of a patch's area stands out, the patch is a ring, whose inside belongs to it
_CLOSED, _LEFT = 0.7, 0.3  # share of a ring, or another patch, that an outline must keep; else the patch is not reduced
_ENCLOSED = 0.5  # share of a patch's border that must face skin; shadow and background touch the photo's edge
_IN_CORNER = 0.65  # the same for a patch in a corner, where lenses darken a photo
_RAISED = 1.3  # the factor by which a threshold is raised
_SQUARE = np.ones((3, 3), np.uint8)
_KERNELS = {size: cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) for size in (3, 5)}


@dataclass(frozen=True)
class Thresholds:
    """The criteria of a patch.

    ``low``: standard deviations from bare skin at which it begins. ``peak``: standard deviations that a tenth of it
    must exceed. ``least``: its smallest area in pixels. ``beside``: its smallest area as a share of the largest
    patch's. ``outline``: the share of its own height at which it is outlined.
    """

    low: float
    peak: float
    least: float
    beside: float
    outline: float = _OUTLINE

    def scaled(self, factor: float) -> Thresholds:
        """The criteria with ``low``, ``peak`` and ``outline`` times ``factor``."""
        return replace(self, low=self.low * factor, peak=self.peak * factor, outline=self.outline * factor)


def find_patches(distance: Floats, skin: Mask, thresholds: Thresholds) -> Mask:
    """The patches (H, W) of ``skin`` (H, W) by their ``distance`` (H, W) from bare skin, with holes filled."""
    return draw_patches(list(all_patches(distance, skin, thresholds)), skin.shape, thresholds.beside)


def draw_patches(patches: Sequence[tuple[Box, Bytes]], shape: tuple[int, ...], beside: float) -> Mask:
    """A mask of ``shape`` (H, W) of those ``patches`` whose area is at least ``beside`` times the largest one's."""
    found = np.zeros(shape, np.bool_)
    areas = [cv2.countNonZero(patch) for _, patch in patches]
    for (box, patch), area in zip(patches, areas, strict=True):
        if area >= beside * max(areas):
            found[box] |= patch.view(np.bool_)
    return found


def all_patches(distance: Floats, skin: Mask, thresholds: Thresholds) -> Iterator[tuple[Box, Bytes]]:
    """The patches that ``find_patches`` draws, and some smaller ones, each in its box. A patch that touches the photo's
    edge is searched again with a higher threshold, because it may be a lesion that touches a shadow."""
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
            seeking += [(_outer(inner, box), part, raised) for inner, part in _regions(within, raised)]


def _outer(inner: Box, box: Box) -> Box:
    """The box ``inner``, which is relative to ``box``, as a box of the photo."""
    rows, columns = (
        slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(box, inner, strict=True)
    )
    return rows, columns


def _regions(mask: Mask, thresholds: Thresholds) -> Iterator[tuple[Box, Bytes]]:
    """The connected parts of ``mask`` in their bounding boxes, without specks and with their holes filled."""
    return solid_parts(_opened(mask.view(np.uint8), 5), thresholds.least)


def _outline(distance: Floats, region: Bytes, thresholds: Thresholds) -> Bytes | None:
    """``region`` reduced to where it exceeds a share of its own height; None if no part of it exceeds the peak."""
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


def solid_parts(mask: Bytes, least: float = 1) -> Iterator[tuple[Box, Bytes]]:
    """The connected parts of ``mask`` (H, W; 0 or 1) in their bounding boxes, with holes filled. Parts with fewer than
    ``least`` pixels are left out."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        left, top, wide, high = cv2.boundingRect(contour)
        if wide * high < least:
            continue
        part = np.zeros((high, wide), np.uint8)
        cv2.drawContours(part, [contour], -1, 1, cv2.FILLED, offset=(-left, -top))
        if cv2.countNonZero(part) >= least:
            yield (slice(top, top + high), slice(left, left + wide)), part


def _solid(mask: Bytes) -> Bytes:
    """``mask`` with its holes filled."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(mask), contours, -1, 1, cv2.FILLED), np.uint8)


def _opened(mask: Bytes, size: int) -> Bytes:
    """``mask`` without parts narrower than ``size`` pixels."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, _KERNELS[size]), np.uint8)


def framed(mask: Bytes) -> Bytes:
    """``mask`` (H, W) with a pixel of zeros around it."""
    return np.asarray(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), np.uint8)


def _cornered(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether ``box`` reaches two neighbouring edges of the photo."""
    return all(side.start == 0 or side.stop == length for side, length in zip(box, shape, strict=True))


def _facing(box: Box, patch: Bytes, skin: Bytes) -> float:
    """The share of the patch's outer border, 0–1, that is skin. ``skin`` is framed by zeros."""
    padded = framed(patch)
    border = np.asarray(cv2.subtract(cv2.dilate(padded, _SQUARE), padded), np.uint8)
    rows, columns = box
    around = skin[rows.start : rows.stop + 2, columns.start : columns.stop + 2]
    return cv2.countNonZero(border & around) / cv2.countNonZero(border)

"""Patches of skin that stand out: from a map of how far each pixel does, to outlines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import Mask

Floats = NDArray[np.float32]
Box = tuple[slice, slice]

_OUTLINE = 0.4  # of a patch's own height, where that is above the least: a blurred edge lies near its middle
_WHOLE = 0.75  # of a patch must itself stand out, or it is a ring, which is kept with what it encloses
_CLOSED, _LEFT = 0.7, 0.3  # of a ring, or patch, that must be left when it is drawn in; less, and it fell apart
_ENCLOSED = 0.5  # of a patch's border must face skin: shadow and background reach in from an edge
_IN_CORNER = 0.65  # and of one in a corner, where lenses darken a photo
_RAISED = 1.3  # the step by which a threshold is raised
_SQUARE = np.ones((3, 3), np.uint8)


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
        """As if a patch began, and its outline lay, at ``factor`` times the height."""
        return replace(self, low=self.low * factor, outline=self.outline * factor)


def find_patches(distance: Floats, skin: Mask, thresholds: Thresholds) -> Mask:
    """The patches of ``skin`` (H, W) that stand out by ``distance`` (H, W), holes filled."""
    found = np.zeros_like(skin)
    kept = list(_patches(distance, skin, np.pad(skin, 1), thresholds))
    largest = max((np.count_nonzero(patch) for _, patch in kept), default=0)
    for box, patch in kept:
        if np.count_nonzero(patch) >= thresholds.beside * largest:
            found[box] |= patch
    return found


def _patches(distance: Floats, where: Mask, framed: Mask, thresholds: Thresholds) -> Iterator[tuple[Box, Mask]]:
    """Those of ``where`` in their boxes. What reaches in from an edge is searched again with a higher threshold: a
    shadow and a lesion may touch."""
    for box, region in _regions(where & (distance > thresholds.low), thresholds.least):
        patch = _outline(distance[box], region, thresholds)
        if patch is None:
            continue
        if _facing(box, patch, framed) >= (_IN_CORNER if _cornered(box, where.shape) else _ENCLOSED):
            yield box, patch
        elif thresholds.low * _RAISED < thresholds.peak:
            within = np.zeros_like(where)
            within[box] = region
            yield from _patches(distance, within, framed, replace(thresholds, low=thresholds.low * _RAISED))


def _regions(mask: Mask, least: float) -> Iterator[tuple[Box, Mask]]:
    """The connected parts of ``mask`` in their bounding boxes, without specks and with their holes filled."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(_solid(mask, 5).view(np.uint8), connectivity=4)
    for label, (left, top, wide, high, area) in enumerate(stats.tolist()):
        if label and area >= least:
            box = slice(top, top + high), slice(left, left + wide)
            yield box, labels[box] == label


def _outline(distance: Floats, region: Mask, thresholds: Thresholds) -> Mask | None:
    """``region`` drawn in to where it reaches a part of its own height; None where it never stands out clearly."""
    standing = region & (distance > thresholds.low)
    high, peak = np.percentile(distance[standing], (75, 90))
    if peak < thresholds.peak:
        return None
    area = np.count_nonzero(region)
    drawn = _solid(region & (distance > max(thresholds.low, thresholds.outline * high)), 3)
    least = _CLOSED if np.count_nonzero(standing) < _WHOLE * area else _LEFT
    return drawn if np.count_nonzero(drawn) >= least * area else region


def _solid(mask: Mask, opening: int) -> Mask:
    """``mask`` without what is narrower than ``opening`` pixels, its holes filled."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (opening, opening))
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, kernel)
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return filled.view(np.bool_)


def _cornered(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether ``box`` reaches two neighbouring edges of the photo."""
    return all(side.start == 0 or side.stop == length for side, length in zip(box, shape, strict=True))


def _facing(box: Box, patch: Mask, framed: Mask) -> float:
    """The share of the patch's outer border that is skin within the photo; ``framed``: skin with a pixel around it."""
    padded = cv2.copyMakeBorder(patch.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    border = np.asarray(cv2.dilate(padded, _SQUARE) - padded, np.uint8)
    rows, columns = box
    around = framed[rows.start : rows.stop + 2, columns.start : columns.stop + 2].view(np.uint8)
    return cv2.countNonZero(border & around) / cv2.countNonZero(border)

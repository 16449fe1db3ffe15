"""The largest lesion in a photo and its shape: how unlike its mirror images, how far from a disc, how long.

Geometry alone: where it lies and what it is of is told elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.parts import labelled
from ml.values import Mask

Floats = NDArray[np.float32]

_MIN_PIXELS = 100  # of the working copy; the outline of less is its pixels'
_ALIKE = 0.5  # of the largest lesion's area: beside another as large, none is the main one
_CUT = 0.03  # of a lesion's outline along the photo's edge, from which on its shape is unknown
_FOLDED = 128  # side, in pixels, to which a lesion is brought for folding
_ROUNDED = 0.012  # of a lesion's diameter: the outline's smoothing, so that pixels do not count as notches


@dataclass(frozen=True, eq=False)
class MainLesion:
    """The largest connected part of a mask: its pixels ``inside`` (h, w) its bounding ``box``, rows and columns."""

    box: tuple[slice, slice]
    inside: Mask


@dataclass(frozen=True)
class Shape:
    """``asymmetry``: share that differs when folded along each principal axis, mean of both (Stoecker 1992);
    ``compactness``: perimeter² / (4π·area) (Golston 1992); ``diameter``: the largest Feret diameter, in pixels."""

    asymmetry: float
    compactness: float
    diameter: float


def has_main(areas: NDArray[np.intp]) -> bool:
    """Whether one of the lesions, of so many pixels each (n,; the first of none, 0), is by far the largest."""
    ordered = np.sort(areas)
    return len(areas) > 1 and bool(ordered[-2] < _ALIKE * ordered[-1])


def main_lesion(mask: Mask) -> MainLesion | None:
    """The largest connected part of ``mask`` (H, W), or None where it has no part of 100 pixels."""
    if not mask.any():
        return None
    left, top, wide, high = cv2.boundingRect(mask.view(np.uint8))
    labels, areas = labelled(np.ascontiguousarray(mask[top : top + high, left : left + wide]), 4)
    largest = int(areas.argmax())
    if areas[largest] < _MIN_PIXELS:
        return None
    inside = labels == largest
    x, y, wide, high = cv2.boundingRect(inside.view(np.uint8))
    box = slice(top + y, top + y + high), slice(left + x, left + x + wide)
    return MainLesion(box, inside[y : y + high, x : x + wide])


def shape_of(main: MainLesion, frame: tuple[int, ...]) -> Shape | None:
    """The shape of a lesion in a photo of (H, W, …) ``frame``; None where the frame cuts it."""
    rows, columns = main.box
    contours, _ = cv2.findContours(main.inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = np.asarray(max(contours, key=cv2.contourArea)[:, 0], np.int32)
    height, width = frame
    x, y = (outline + np.array((columns.start, rows.start))).T
    if np.mean((x == 0) | (x == width - 1)) + np.mean((y == 0) | (y == height - 1)) > _CUT:
        return None
    hull = np.asarray(cv2.convexHull(outline)[:, 0], np.float32)
    diameter = _feret(hull)
    return Shape(_asymmetry(main.inside, hull), _compactness(outline, diameter), diameter)


def _feret(hull: Floats) -> float:
    """The greatest distance between two corners (n, 2) of pixels' convex hull, a pixel's own width included."""
    return float(np.sqrt(((hull[:, None] - hull) ** 2).sum(axis=2).max())) + 1


def _compactness(outline: NDArray[np.int32], diameter: float) -> float:
    """Of the outline (n, 2), smoothed as a closed curve by a Gaussian."""
    sigma = max(1.5, _ROUNDED * diameter * np.pi)
    reach = min(int(4 * sigma), len(outline))
    padded = np.concatenate([outline[-reach:], outline, outline[:reach]]).astype(np.float32)
    smooth = cv2.GaussianBlur(padded, (1, 2 * reach + 1), sigmaX=0.1, sigmaY=sigma)[reach:-reach].reshape(-1, 1, 2)
    smooth = np.ascontiguousarray(smooth)
    return float(cv2.arcLength(smooth, True) ** 2 / (4 * np.pi * max(cv2.contourArea(smooth), 1.0)))


def _asymmetry(main: Mask, hull: Floats) -> float:
    """Turned to its principal axes about its centroid, a lesion is compared with its mirror images. ``hull``: corners
    (n, 2) of its convex hull, one of which is its farthest pixel from anywhere."""
    moments = cv2.moments(main.view(np.uint8), binaryImage=True)
    centroid = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    degrees = float(np.degrees(np.arctan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"]) / 2))
    radius = float(np.hypot(*(hull - centroid).T).max()) + 1
    turn = np.asarray(cv2.getRotationMatrix2D(centroid.tolist(), degrees, (_FOLDED - 2) / (2 * radius)), np.float64)
    turn[:, 2] += (_FOLDED - 1) / 2 - centroid
    upright = cv2.warpAffine(main.astype(np.float32), turn, (_FOLDED, _FOLDED))
    differs = [float(np.abs(upright - np.flip(upright, axis)).sum()) for axis in (0, 1)]
    return sum(differs) / 2 / (2 * float(upright.sum()))

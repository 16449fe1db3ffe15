"""The shape and colours of the main lesion: the geometry of A, B, C and a size, without points and without a verdict.

The ABCD rule's points (Stolz et al., 1994) hold for melanocytic lesions under a dermatoscope, and its D counts
structures that are not looked for here: so these are lengths, areas and colours, each in its own unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.lesion import Segmentation
from ml.skin.parts import labelled
from ml.skin.regions import deviation
from ml.values import Mask, Measurement

Floats = NDArray[np.float32]

_MIN_PIXELS = 100  # of the working copy; the outline of less is its pixels'
_CUT = 0.03  # of a lesion's outline along the photo's edge, from which on its shape is unknown
_FOLDED = 128  # side, in pixels, to which a lesion is brought for folding
_ROUNDED = 0.012  # of a lesion's diameter: the outline's smoothing, so that pixels do not count as notches

_ASYMMETRY = "share that differs when folded along each principal axis, mean of both (Stoecker 1992)"
_BORDER = "compactness: perimeter² / (4π·area), 1 for a disc (Golston 1992)"
_COLOURS = "root mean square distance from the lesion's mean colour, CIELAB"
_DIAMETER = "largest Feret diameter of the outline"
_OUTLINED = (
    "; uncertainty: the greatest change at thresholds 30% lower and higher, and what it moved by on changed photos"
)


@dataclass(frozen=True, eq=False)
class MainLesion:
    """The largest connected part of a mask: its pixels ``inside`` (h, w) its bounding ``box``, rows and columns."""

    box: tuple[slice, slice]
    inside: Mask


@dataclass(frozen=True)
class _Shape:
    asymmetry: float
    compactness: float
    diameter: float


def lesion_geometry(
    found: Segmentation | None,
    lab: Floats,
    skin: Mask,
    scale: float = 1.0,
    pixels_per_mm: float | None = None,
) -> tuple[Measurement, ...]:
    """Area of all lesions, and the main one's asymmetry, border, colours and diameter; all (H, W) of one copy.

    ``scale``: pixels of the photo for each of the copy's. ``pixels_per_mm``: of the photo; without it the diameter in
    millimetres is None. All but the area and the colours are None where the frame cuts the main lesion.
    """
    masks = () if found is None else (found.mask, found.narrow, found.wide)
    mains = [main_lesion(mask) for mask in masks]
    shapes = [None if main is None else _shape(main, skin.shape) for main in mains]
    diameter = _ranged(shapes, lambda shape: shape.diameter * scale, least=scale)
    millimetres = (None, None) if pixels_per_mm is None else tuple(_per(part, pixels_per_mm) for part in diameter)
    return (
        _measurement(
            "lesion_area", _span(_shares(masks, skin), 0.002), "share of skin", "all that stands out of the skin"
        ),
        _measurement("lesion_asymmetry", _ranged(shapes, lambda shape: shape.asymmetry, 0.01), "share", _ASYMMETRY),
        _measurement(
            "lesion_border_irregularity", _ranged(shapes, lambda shape: shape.compactness, 0.02), "1", _BORDER
        ),
        _measurement("lesion_colour_variegation", _span([_colours(lab, main) for main in mains], 0.5), "ΔE", _COLOURS),
        _measurement("lesion_diameter_px", diameter, "px", _DIAMETER),
        _measurement("lesion_diameter_mm", (millimetres[0], millimetres[1]), "mm", _DIAMETER),
    )


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


def _shape(main: MainLesion, frame: tuple[int, ...]) -> _Shape | None:
    rows, columns = main.box
    contours, _ = cv2.findContours(main.inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = np.asarray(max(contours, key=cv2.contourArea)[:, 0], np.int32)
    height, width = frame
    x, y = (outline + np.array((columns.start, rows.start))).T
    if np.mean((x == 0) | (x == width - 1)) + np.mean((y == 0) | (y == height - 1)) > _CUT:
        return None
    hull = np.asarray(cv2.convexHull(outline)[:, 0], np.float32)
    diameter = _feret(hull)
    return _Shape(_asymmetry(main.inside, hull), _compactness(outline, diameter), diameter)


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


def _colours(lab: Floats, main: MainLesion | None) -> float | None:
    if main is None:
        return None
    inside = np.ascontiguousarray(main.inside).view(np.uint8)
    return math.hypot(*(deviation(lab[main.box][..., axis], inside) for axis in range(3)))


def _shares(masks: tuple[Mask, ...], skin: Mask) -> list[float | None]:
    whole = np.count_nonzero(skin)
    return [np.count_nonzero(mask) / whole if whole else None for mask in masks]


def _ranged(
    shapes: list[_Shape | None], quantity: Callable[[_Shape], float], least: float
) -> tuple[float | None, float | None]:
    return _span([None if shape is None else quantity(shape) for shape in shapes], least)


def _span(values: list[float | None], least: float) -> tuple[float | None, float | None]:
    """The first of ``values``, and how far the others lie from it; at least ``least``, what a pixel may change."""
    if not values or values[0] is None:
        return None, None
    first = float(values[0])
    return first, float(max(least, *(abs(value - first) for value in values if value is not None)))


def _per(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _measurement(name: str, found: tuple[float | None, float | None], unit: str, method: str) -> Measurement:
    value, uncertainty = found
    return Measurement(name, value, unit, method + _OUTLINED, "lesion", uncertainty)

"""Lesions: the shape and colours of the main lesion, and the difference of all lesions from the skin around them.

The values are lengths, areas and colours in their own units, without points or a verdict. The points of the ABCD rule
(Stolz et al., 1994) are valid for melanocytic lesions under a dermatoscope, and its D counts structures that are not
detected here.

The uncertainty of a difference includes the choice of the outline and the resolution of 8 bits: on dark skin one code
is a large step of light, and compression changes some codes by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import code_step
from ml.skin.declaration import Measure
from ml.skin.frame import Part, once
from ml.skin.outline import Segmentation, is_doubtful, lesions, surroundings
from ml.skin.pigment import ERYTHEMA_METHOD, MELANIN_METHOD, PER_DECADE, Pigment, pigment
from ml.skin.regions import UNKNOWN, Region, Value, deviation, labelled, standard_error, total
from ml.values import Doubles, Floats, Mask

_MIN_PIXELS = 100  # of the working copy; the outline of a smaller lesion is too coarse
_ALIKE = 0.5  # of the largest lesion's area; if a second lesion is as large, there is no main lesion
_CUT = 0.03  # share of the outline at the photo's edge; with more, the shape is unknown
_FOLDED = 128  # side in pixels to which a lesion is resized for folding
_ROUNDED = 0.012  # of the diameter: smoothing of the outline, so that pixels do not count as notches
_LARGE = 0.3  # of all lesions' area; the difference is also computed without each lesion of this size
_PER_DENSITY = (100.0, 200.0, 25.0, 33.0)  # largest change of each difference by a unit of optical density


@dataclass(frozen=True, eq=False)
class MainLesion:
    """The largest connected part of a mask. ``box``: its rows and columns. ``inside`` (h, w): its pixels in the box."""

    box: tuple[slice, slice]
    inside: Mask


@dataclass(frozen=True)
class Shape:
    """The shape of a lesion. ``asymmetry``, 0–1: the share that differs when folded along a principal axis, mean of
    both axes (Stoecker 1992). ``compactness``: perimeter² / (4π·area), 1 for a disc (Golston 1992). ``diameter``: the
    largest Feret diameter in pixels of the working copy."""

    asymmetry: float
    compactness: float
    diameter: float


@dataclass(frozen=True)
class Geometry:
    """The geometry of lesions. ``area``: of all lesions, as a share of the skin. The others describe the main lesion:
    ``colours`` in ΔE, and the values of its `Shape`."""

    area: Value
    asymmetry: Value
    compactness: Value
    colours: Value
    diameter: Value


@once
def geometry(part: Part) -> Geometry:
    """The geometry of a part's lesions."""
    return lesion_geometry(lesions(part), part.frame.lab, part.region.mask)


def lesion_geometry(found: Segmentation | None, lab: Floats, skin: Mask) -> Geometry:
    """The geometry of the lesions in ``skin`` (H, W) of a photo in CIELAB ``lab`` (H, W, 3).

    Only the area is known if there is no main lesion, or if it is uncertain which part of the skin is bare. Only the
    area and the colours are known if the frame cuts the main lesion, even if only at a lower or higher threshold.
    """
    mains = _main_lesions(found, skin)
    shapes = [None if main is None else shape_of(main, skin.shape) for main in mains]
    return Geometry(
        area=_area(found, skin),
        asymmetry=_range_of(shapes, lambda shape: shape.asymmetry, 0.01),
        compactness=_range_of(shapes, lambda shape: shape.compactness, 0.02),
        colours=_span([_colours(lab, main) for main in mains], 0.5),
        diameter=_range_of(shapes, lambda shape: shape.diameter, 1.0),
    )


def _main_lesions(found: Segmentation | None, skin: Mask) -> list[MainLesion | None]:
    """The main lesion at the usual, a higher and a lower threshold. Empty if there is no main lesion, or if it is
    uncertain which part of the skin is bare."""
    if found is None or is_doubtful(found, skin) or not _has_main(found.parts[1]):
        return []
    return [main_lesion(mask) for mask in (found.mask, found.narrow, found.wide)]


def _has_main(areas: NDArray[np.intp]) -> bool:
    """Whether one lesion is more than twice as large as the others. ``areas`` (n,): pixels, first the background."""
    ordered = np.sort(areas)
    return len(areas) > 1 and bool(ordered[-2] < _ALIKE * ordered[-1])


def main_lesion(mask: Mask) -> MainLesion | None:
    """The largest connected part of ``mask`` (H, W); None if it has fewer than 100 pixels."""
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
    """The shape of a lesion in a photo of (H, W, …) ``frame``; None if the frame cuts it."""
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
    """The largest distance between two corners (n, 2) of a convex hull of pixels, plus one pixel."""
    return float(np.sqrt(((hull[:, None] - hull) ** 2).sum(axis=2).max())) + 1


def _compactness(outline: NDArray[np.int32], diameter: float) -> float:
    """The compactness of ``outline`` (n, 2), a closed curve that is smoothed by a Gaussian."""
    sigma = max(1.5, _ROUNDED * diameter * np.pi)
    reach = min(int(4 * sigma), len(outline))
    padded = np.concatenate([outline[-reach:], outline, outline[:reach]]).astype(np.float32)
    smooth = cv2.GaussianBlur(padded, (1, 2 * reach + 1), sigmaX=0.1, sigmaY=sigma)[reach:-reach].reshape(-1, 1, 2)
    smooth = np.ascontiguousarray(smooth)
    return float(cv2.arcLength(smooth, True) ** 2 / (4 * np.pi * max(cv2.contourArea(smooth), 1.0)))


def _asymmetry(main: Mask, hull: Floats) -> float:
    """The asymmetry, 0–1: the lesion is turned to its principal axes and compared with its mirror images. ``hull``: the
    corners (n, 2) of its convex hull."""
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


def _area(found: Segmentation | None, skin: Mask) -> Value:
    """The area of all lesions as a share of ``skin``. If it is uncertain which part of the skin is bare, the
    uncertainty is as large as the area."""
    whole = np.count_nonzero(skin)
    if found is None or not whole:
        return UNKNOWN
    masks = found.mask, found.narrow, found.wide
    area, spread = _span([float(np.count_nonzero(mask) / whole) for mask in masks], 0.002)
    return area, area if is_doubtful(found, skin) else spread


def _range_of(shapes: list[Shape | None], quantity: Callable[[Shape], float], least: float) -> Value:
    return _span([None if shape is None else quantity(shape) for shape in shapes], least)


def _span(values: Sequence[float | None], least: float) -> Value:
    """The first of ``values``, and the largest difference of the others from it, or ``least`` if that is larger.
    Unknown if one of them is None."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return UNKNOWN
    return known[0], max(least, *(abs(value - known[0]) for value in known))


def _times(value: Value, factor: float | None) -> Value:
    return UNKNOWN if factor is None or value[0] is None or value[1] is None else (value[0] * factor, value[1] * factor)


def _mm_per_pixel(part: Part) -> float | None:
    """Millimetres per pixel of the working copy; None if the scale is unknown."""
    pixels_per_mm = part.frame.pixels_per_mm
    return None if pixels_per_mm is None else part.frame.scale / pixels_per_mm


@once
def differences(part: Part) -> tuple[Value, ...]:
    """The lesions less the skin around them, for each map of `Pigment`."""
    return lesion_contrast(pigment(part), lesions(part), part.skin)


def _difference_at(place: int, part: Part) -> Value:
    return differences(part)[place]


def lesion_contrast(maps: Pigment, found: Segmentation | None, skin: Mask) -> tuple[Value, ...]:
    """The mean of all lesions less that of the ``skin`` (H, W) around them, for each of the four maps.

    The difference does not depend on the exposure, nor on the melanin that raises the erythema index of dark skin. It
    is unknown if there is no lesion or no skin around it, even if only at a lower or higher threshold, and if it is
    uncertain which part of the skin is bare.
    """
    if found is None or is_doubtful(found, skin):
        return (UNKNOWN,) * 4
    outlines = list(_outlines(found, skin))
    left, top, wide, high = cv2.boundingRect(np.logical_or.reduce([a | b for a, b in outlines]).view(np.uint8))
    box = slice(top, top + high), slice(left, left + wide)
    parts = {id(mask): Region(mask[box]) for outline in outlines for mask in outline}  # some masks are shared
    if not all(part.usable for part in parts.values()):
        return (UNKNOWN,) * 4
    values = maps.within(box)
    means = {of: _means(part, values) for of, part in parts.items()}
    contrasts = np.array([means[id(lesion)] - means[id(around)] for lesion, around in outlines])
    changes = np.abs(contrasts[1:] - contrasts[0]).max(axis=0)
    both = [id(mask) for mask in outlines[0]]
    green = np.array([means[of][:2].sum() for of in both])  # index of green: the sum of the first two maps
    step = float(np.hypot(*code_step(green / PER_DECADE)))
    sides = parts[both[0]], parts[both[1]]
    return tuple(
        _difference(of, sides, (change, step * per_density))
        for of, change, per_density in zip(values, changes.tolist(), _PER_DENSITY, strict=True)
    )


def _outlines(found: Segmentation, skin: Mask) -> Iterator[tuple[Mask, Mask]]:
    """Pairs of lesions and the skin around them: as found, at a lower threshold, at a higher one, and without each
    large lesion."""
    around = surroundings(found.mask, skin)
    yield found.mask, around
    yield found.wide, surroundings(found.wide, skin)
    yield found.narrow, around
    labels, areas = found.parts
    if len(areas) > 2:
        for label in np.flatnonzero(areas >= _LARGE * areas.sum()):
            rest = found.mask & (labels != label)
            yield rest, surroundings(rest, skin)


def _means(part: Region, maps: Sequence[Floats]) -> Doubles:
    """The mean of each of n ``maps`` (H, W) in ``part``, (n,)."""
    inside = part.mask.view(np.uint8)
    return np.array([total(values, inside) / part.pixels for values in maps])


def _difference(values: Floats, sides: tuple[Region, Region], uncertainties: tuple[float, float]) -> Value:
    """The mean of ``values`` (H, W) in the first of two ``sides`` less that in the second. Its uncertainty combines the
    standard errors and the other ``uncertainties``."""
    (lesion, of_lesion), (around, of_around) = (part.means(values) for part in sides)
    spread = math.hypot(standard_error(of_lesion) or 0.0, standard_error(of_around) or 0.0, *uncertainties)
    return lesion - around, spread


_MODEL = "ln of the volume fraction, by a two-layer optical model of skin inverted (Claridge 2003, Jacques 2013)"
_MELANIN, _BLOOD = "The logarithm of the volume fraction of melanin", "The logarithm of the volume fraction of blood"
_MAPS = (  # name, label, unit, direction of the difference, what it is of, method; in the order of `Pigment.within`
    ("erythema_index", "Erythema index", "index", "a redder lesion", "The erythema index", ERYTHEMA_METHOD),
    ("melanin_index", "Melanin index", "index", "a darker lesion", "The melanin index", MELANIN_METHOD),
    ("melanin", "Melanin", "ln", "more melanin in the lesion", _MELANIN, _MODEL),
    ("haemoglobin", "Haemoglobin", "ln", "more blood in the lesion", _BLOOD, _MODEL),
)

DIFFERENCES = tuple(
    Measure(
        name=f"{name}_difference",
        label=f"{label}, difference",
        unit=unit,
        direction=direction,
        description=f"{of} of the lesions less that of the skin around them. Exposure cancels out.",
        method=method,
        measured=partial(_difference_at, place),
        regions=("lesion_minus_surrounding",),
        clinical=True,
    )
    for place, (name, label, unit, direction, of, method) in enumerate(_MAPS)
)
_of_lesion = partial(Measure, regions=("lesion",), clinical=True)
_DIAMETER = "largest Feret diameter of the outline"
_CHANGES = "uncertainty: the largest change at thresholds 30% lower and higher, and its changes on altered photos"
SHAPES = (
    _of_lesion(
        name="lesion_area",
        label="Area",
        unit="share of skin",
        direction="larger",
        description="How much of the photo's skin is covered by lesions.",
        method=f"all that stands out of the skin; {_CHANGES}",
        measured=lambda part: geometry(part).area,
    ),
    _of_lesion(
        name="lesion_asymmetry",
        label="Asymmetry",
        unit="share",
        direction="less symmetric",
        description="How much of the main lesion has no counterpart when it is folded along its axes.",
        method=f"share that differs when folded along each principal axis, mean of both (Stoecker 1992); {_CHANGES}",
        measured=lambda part: geometry(part).asymmetry,
    ),
    _of_lesion(
        name="lesion_border_irregularity",
        label="Irregularity of the border",
        unit="1",
        direction="less round",
        description="The squared length of the main lesion's border over that of a disc of the same area. A disc has "
        "1.",
        method=f"compactness: perimeter² / (4π·area), 1 for a disc (Golston 1992); {_CHANGES}",
        measured=lambda part: geometry(part).compactness,
    ),
    _of_lesion(
        name="lesion_colour_variegation",
        label="Variety of colours",
        unit="ΔE",
        direction="more varied colours",
        description="How far the colours within the main lesion differ from its mean colour.",
        method=f"root mean square distance from the lesion's mean colour, CIELAB; {_CHANGES}",
        measured=lambda part: geometry(part).colours,
    ),
    _of_lesion(
        name="lesion_diameter_px",
        label="Diameter in pixels",
        unit="px",
        direction="larger",
        description="The largest diameter of the main lesion, in pixels of the photo as it was sent.",
        method=f"{_DIAMETER}; {_CHANGES}",
        measured=lambda part: _times(geometry(part).diameter, part.frame.scale),
    ),
    _of_lesion(
        name="lesion_diameter_mm",
        label="Diameter",
        unit="mm",
        direction="larger",
        description="The largest diameter of the main lesion. Measured only if the request states the photo's scale.",
        method=f"{_DIAMETER}; {_CHANGES}",
        measured=lambda part: _times(geometry(part).diameter, _mm_per_pixel(part)),
    ),
)
MEASURES = (*DIFFERENCES, *SHAPES)

"""Lesions: their colours as differences from the skin around them, and the shape of the main lesion.

The colours of a photo depend on its light and its exposure. The difference between a lesion and the skin around it
depends on them far less, so it repeats between two photos (docs/methods/lesion-and-face.md).

The values are in their own units, without points or a verdict. The points of the ABCD rule (Stolz et al., 1994) are
valid for melanocytic lesions under a dermatoscope, and its D counts structures that are not detected here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000

from ml.skin.colour import CLIPPED, extremes, linear_to_lab
from ml.skin.declaration import Measure
from ml.skin.frame import Frame, Part, once
from ml.skin.outline import Segmentation, lesions
from ml.skin.pigment import ERYTHEMA_METHOD, MELANIN_METHOD, erythema_index, melanin_index
from ml.skin.regions import UNKNOWN, Region, Value, deviation, labelled, standard_error
from ml.values import Doubles, Floats, Mask

# Distances from the outline, as multiples of the lesion's depth: the greatest distance that a point inside has from the
# outline. An outline is never exact, so a lesion's colour is that of its core, and the skin around begins outside.
_CORE, _BESIDE, _REACH = 1 / 5, 1 / 8, 2.0

_MIN_PIXELS = 100  # of the working copy; the outline of a smaller lesion is too coarse
_ALIKE = 0.5  # of the largest lesion's area; if a second lesion is as large, there is no main lesion
_CUT = 0.03  # share of the outline at the photo's edge; with more, the shape is unknown
_FOLDED = 128  # side in pixels to which a lesion is resized for folding
_ROUNDED = 0.012  # of the diameter: smoothing of the outline, so that pixels do not count as notches


@once
def differences(part: Part) -> tuple[Value, ...]:
    """The colours of a part's lesions less those of the skin around them, in the order of `DIFFERENCES`."""
    return lesion_differences(part.frame, lesions(part), part.skin)


def lesion_differences(frame: Frame, found: Segmentation | None, skin: Mask) -> tuple[Value, ...]:
    """The colours of the lesions' core less those of a ring of ``skin`` (h, w), in the order of `DIFFERENCES`.

    Clipped pixels are left out. The uncertainty combines the standard errors with the largest change for the narrow and
    the wide outline. Unknown if there is no lesion or no skin around it, or if one of the other outlines is empty.
    """
    unknown = (UNKNOWN,) * len(DIFFERENCES)
    if found is None:
        return unknown
    unclipped = extremes(frame.copy)[1] < CLIPPED
    around = Region(_ring(found.mask) & skin & unclipped)
    cores = [Region(_core(outline) & unclipped) for outline in (found.mask, found.narrow, found.wide)]
    if not all(region.usable for region in (around, *cores)):
        return unknown
    beside, its_errors = _colour(around, frame.linear)
    colours, errors = zip(*(_colour(core, frame.linear) for core in cores), strict=True)
    values, *others = (_compared(colour, beside) for colour in colours)
    error = np.hypot(errors[0], its_errors)
    error = np.append(error, np.linalg.norm(error[:3]))  # ΔE00 moves by about as much as L*, a* and b* together
    uncertainty = np.hypot(error, np.abs(others - values).max(axis=0))
    return tuple(zip(values.tolist(), uncertainty.tolist(), strict=True))


def _compared(colour: Doubles, beside: Doubles) -> Doubles:
    """The differences (5,) between two colours, as by `_colour`, and their CIEDE2000: (6,)."""
    return np.append(colour - beside, deltaE_ciede2000(colour[:3], beside[:3]))


def _distance(mask: Mask) -> Floats:
    """The distance (h, w) of each pixel of ``mask`` from the nearest pixel outside, in pixels; 0 outside."""
    return np.asarray(cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 5), np.float32)


def _core(mask: Mask) -> Mask:
    """The inner part of ``mask`` (h, w). Small parts beside a large one have none."""
    depth = _distance(mask)
    return mask & np.asarray(depth >= _CORE * depth.max(), np.bool_)


def _ring(mask: Mask) -> Mask:
    """A ring around ``mask`` (h, w), which does not touch it."""
    depth, away = _distance(mask).max(), _distance(~mask)
    return np.asarray((away > _BESIDE * depth) & (away <= _REACH * depth))


def _colour(region: Region, linear: Floats) -> tuple[Doubles, Doubles]:
    """The colour (5,) of a region's mean linear light: L*, a*, b*, erythema index and melanin index. And the standard
    errors (5,) of the five, from the blocks of the region. ``linear``: (h, w, 3)."""
    means = [region.means(linear[..., channel]) for channel in range(3)]
    colour, *blocks = _colours(np.stack([np.append(mean, blocks) for mean, blocks in means], axis=-1))
    return colour, np.array([standard_error(values) or 0.0 for values in np.reshape(blocks, (-1, len(colour))).T])


def _colours(light: Doubles) -> Doubles:
    """L*, a*, b*, erythema index and melanin index (n, 5) of linear ``light`` (n, 3)."""
    lab = linear_to_lab(light.astype(np.float32))
    return np.column_stack([lab, erythema_index(light), melanin_index(light)])


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
    """The geometry of the main lesion: ``colours`` in ΔE, and the values of its `Shape`."""

    asymmetry: Value
    compactness: Value
    colours: Value
    diameter: Value


@once
def geometry(part: Part) -> Geometry:
    """The geometry of a part's main lesion."""
    return lesion_geometry(lesions(part), part.frame.lab)


def lesion_geometry(found: Segmentation | None, lab: Floats) -> Geometry:
    """The geometry of the main lesion in a photo in CIELAB ``lab`` (h, w, 3).

    All values are unknown if the outline is not sure, or if there is no main lesion. If the frame cuts the usual, the
    narrow or the wide outline, only the colours are known.
    """
    mains = _main_lesions(found)
    shapes = [None if main is None else shape_of(main, lab.shape[:2]) for main in mains]
    return Geometry(
        asymmetry=_range_of(shapes, lambda shape: shape.asymmetry, 0.01),
        compactness=_range_of(shapes, lambda shape: shape.compactness, 0.02),
        colours=_span([_variegation(lab, main) for main in mains], 0.5),
        diameter=_range_of(shapes, lambda shape: shape.diameter, 1.0),
    )


def _main_lesions(found: Segmentation | None) -> list[MainLesion | None]:
    """The main lesion by the usual, the narrow and the wide outline. Empty if the outline is not sure, or if there is
    no main lesion."""
    if found is None or not found.sure or not _has_main(found.parts[1]):
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


def _variegation(lab: Floats, main: MainLesion | None) -> float | None:
    if main is None:
        return None
    inside = np.ascontiguousarray(main.inside).view(np.uint8)
    return math.hypot(*(deviation(lab[main.box][..., axis], inside) for axis in range(3)))


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


def _difference(place: int, part: Part) -> Value:
    return differences(part)[place]


_APART = "mean linear light of the lesions' core less that of a ring of skin around, clipped pixels left out"
_CHANGES = (
    "uncertainty: a fitted limit for two photos of the same skin, with the largest change for a narrower and a wider "
    "outline"
)
_COMPARED = (  # name, label, unit, what a higher value means, what is compared, formula; the order of `_colours`
    ("lightness", "lightness", "L*", "lighter than the skin around", "The lightness", "L*, CIELAB under D65"),
    ("redness", "redness", "a*", "redder than the skin around", "The redness", "a*, CIELAB under D65"),
    ("yellowness", "yellowness", "b*", "yellower than the skin around", "The yellowness", "b*, CIELAB under D65"),
    (
        "erythema_index",
        "erythema index",
        "index",
        "redder or browner than the skin around",
        "The erythema index, which blood and brown pigment raise,",
        ERYTHEMA_METHOD,
    ),
    (
        "melanin_index",
        "melanin index",
        "index",
        "darker in red light, as by brown pigment",
        "The melanin index, which brown pigment raises,",
        MELANIN_METHOD,
    ),
)
_of_difference = partial(Measure, regions=("lesion_minus_surrounding",), clinical=True)
DIFFERENCES = (
    *(
        _of_difference(
            name=f"{name}_difference",
            label=f"Difference in {label}",
            unit=unit,
            direction=direction,
            description=f"{of} of the lesion less that of the skin around it.",
            method=f"{formula}: {_APART}; {_CHANGES}",
            measured=partial(_difference, place),
        )
        for place, (name, label, unit, direction, of, formula) in enumerate(_COMPARED)
    ),
    _of_difference(
        name="colour_difference",
        label="Difference in colour",
        unit="ΔE00",
        direction="a colour less like that of the skin around",
        description="How different the colour of the lesion is from that of the skin around it. 0 is the same colour.",
        method=f"CIEDE2000: {_APART}; {_CHANGES}",
        measured=partial(_difference, len(_COMPARED)),
    ),
)
_of_lesion = partial(Measure, regions=("lesion",), clinical=True)
_DIAMETER = "largest Feret diameter of the outline"
SHAPES = (
    _of_lesion(
        name="lesion_asymmetry",
        label="Asymmetry",
        unit="share",
        direction="less symmetric",
        description="How much of the main lesion has no counterpart when the lesion is folded along its axes.",
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
        standard_in=(),
    ),
    _of_lesion(
        name="lesion_diameter_mm",
        label="Diameter",
        unit="mm",
        direction="larger",
        description="The largest diameter of the main lesion. Measured only if the request states the photo's scale.",
        method=f"{_DIAMETER}; {_CHANGES}",
        needs_scale=True,
        measured=lambda part: _times(geometry(part).diameter, _mm_per_pixel(part)),
    ),
)
MEASURES = (*DIFFERENCES, *SHAPES)

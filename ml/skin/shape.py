"""The shape and colours of the main lesion: the geometry of A, B, C and a size, without points and without a verdict.

The ABCD rule's points (Stolz et al., 1994) hold for melanocytic lesions under a dermatoscope, and its D counts
structures that are not looked for here: so these are lengths, areas and colours, each in its own unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ml.skin.declaration import Measure
from ml.skin.lesion import Segmentation, is_doubtful
from ml.skin.main_lesion import MainLesion, Shape, has_main, main_lesion, shape_of
from ml.skin.regions import deviation
from ml.values import Mask, Measurement

Floats = NDArray[np.float32]

_DIAMETER = "largest Feret diameter of the outline"


def _of_lesion(*, name: str, label: str, unit: str, direction: str, description: str, method: str) -> Measure:
    return Measure(
        name=name,
        label=label,
        unit=unit,
        direction=direction,
        description=description,
        method=f"{method}; uncertainty: the greatest change at thresholds 30% lower and higher, and what it moved by "
        "on changed photos",
        regions=("lesion",),
        clinical=True,
    )


AREA = _of_lesion(
    name="lesion_area",
    label="Area",
    unit="share of skin",
    direction="larger",
    description="How much of the skin in the photo all lesions cover.",
    method="all that stands out of the skin",
)
ASYMMETRY = _of_lesion(
    name="lesion_asymmetry",
    label="Asymmetry",
    unit="share",
    direction="less symmetric",
    description="How much of the main lesion has no counterpart when it is folded along its axes.",
    method="share that differs when folded along each principal axis, mean of both (Stoecker 1992)",
)
BORDER = _of_lesion(
    name="lesion_border_irregularity",
    label="Irregularity of the border",
    unit="1",
    direction="less round",
    description="How much longer the border of the main lesion is than that of a disc. A disc has 1.",
    method="compactness: perimeter² / (4π·area), 1 for a disc (Golston 1992)",
)
COLOURS = _of_lesion(
    name="lesion_colour_variegation",
    label="Variety of colours",
    unit="ΔE",
    direction="more varied colours",
    description="How far the colours within the main lesion differ from its mean colour.",
    method="root mean square distance from the lesion's mean colour, CIELAB",
)
DIAMETER_PX = _of_lesion(
    name="lesion_diameter_px",
    label="Diameter in pixels",
    unit="px",
    direction="larger",
    description="The greatest diameter of the main lesion, in pixels of the photo as it was sent.",
    method=_DIAMETER,
)
DIAMETER_MM = _of_lesion(
    name="lesion_diameter_mm",
    label="Diameter",
    unit="mm",
    direction="larger",
    description="The greatest diameter of the main lesion. Measured only if the request states the photo's scale.",
    method=_DIAMETER,
)
MEASURES = (AREA, ASYMMETRY, BORDER, COLOURS, DIAMETER_PX, DIAMETER_MM)


def lesion_geometry(
    found: Segmentation | None,
    lab: Floats,
    skin: Mask,
    scale: float = 1.0,
    pixels_per_mm: float | None = None,
) -> tuple[Measurement, ...]:
    """Area of all lesions, and the main one's asymmetry, border, colours and diameter; all (H, W) of one copy.

    ``scale``: pixels of the photo for each of the copy's. ``pixels_per_mm``: of the photo; without it the diameter in
    millimetres is None. All but the area are None where no lesion is the main one, or where it is a guess which part of
    the skin is bare; and all but the area and the colours where the frame cuts it, be it only at a threshold a step
    lower or higher: it hangs on a trifle then whether it does.
    """
    mains = _main_lesions(found, skin)
    shapes = [None if main is None else shape_of(main, skin.shape) for main in mains]
    diameter = _ranged(shapes, lambda shape: shape.diameter * scale, least=scale)
    millimetres = (None, None) if pixels_per_mm is None else [_per(part, pixels_per_mm) for part in diameter]
    return (
        AREA.measurement("lesion", *_area(found, skin)),
        ASYMMETRY.measurement("lesion", *_ranged(shapes, lambda shape: shape.asymmetry, 0.01)),
        BORDER.measurement("lesion", *_ranged(shapes, lambda shape: shape.compactness, 0.02)),
        COLOURS.measurement("lesion", *_span([_colours(lab, main) for main in mains], 0.5)),
        DIAMETER_PX.measurement("lesion", *diameter),
        DIAMETER_MM.measurement("lesion", *millimetres),
    )


def _masks(found: Segmentation) -> tuple[Mask, Mask, Mask]:
    return found.mask, found.narrow, found.wide


def _main_lesions(found: Segmentation | None, skin: Mask) -> list[MainLesion | None]:
    """The main lesion at the usual, a higher and a lower threshold; empty where there is none, or too much lesion."""
    if found is None or is_doubtful(found, skin) or not has_main(found.parts[1]):
        return []
    return [main_lesion(mask) for mask in _masks(found)]


def _colours(lab: Floats, main: MainLesion | None) -> float | None:
    if main is None:
        return None
    inside = np.ascontiguousarray(main.inside).view(np.uint8)
    return math.hypot(*(deviation(lab[main.box][..., axis], inside) for axis in range(3)))


def _area(found: Segmentation | None, skin: Mask) -> tuple[float | None, float | None]:
    """Of all lesions, and how far it may be off: by all of it, where it is a guess which part of the skin is bare."""
    whole = np.count_nonzero(skin)
    if found is None or not whole:
        return None, None
    area, spread = _span([float(np.count_nonzero(mask) / whole) for mask in _masks(found)], 0.002)
    return area, area if is_doubtful(found, skin) else spread


def _ranged(
    shapes: list[Shape | None], quantity: Callable[[Shape], float], least: float
) -> tuple[float | None, float | None]:
    return _span([None if shape is None else quantity(shape) for shape in shapes], least)


def _span(values: Sequence[float | None], least: float) -> tuple[float | None, float | None]:
    """The first of ``values``, and how far the others lie from it; at least ``least``, what a pixel may change. None
    where one of them is None."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None, None
    return known[0], max(least, *(abs(value - known[0]) for value in known))


def _per(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit

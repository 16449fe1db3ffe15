"""How a lesion differs in pigment from the skin around it, and how sure that is.

The difference hangs on what was outlined, and on how finely eight bits tell colours apart there: on dark skin one code
is a large step of light, and a compressed photo is a code off here and there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import code_step
from ml.skin.declaration import Measure
from ml.skin.lesion import Segmentation, is_doubtful, surroundings
from ml.skin.pigment import ERYTHEMA_METHOD, MELANIN_METHOD, PER_DECADE, Pigment
from ml.skin.regions import Region, standard_error, total
from ml.values import Mask, Measurement

Floats = NDArray[np.float32]

_CONTRAST: Final = "lesion_minus_surrounding"
_MODEL = "ln of the volume fraction, by a two-layer optical model of skin inverted (Claridge 2003, Jacques 2013)"
_LARGE = 0.3  # of all lesions' area: without one as large, another difference may be found in the same photo


def _difference_of(name: str, label: str, unit: str, *, direction: str, of: str, method: str) -> Measure:
    """Its own spread covers what it moves by on changed photos."""
    return Measure(
        name=f"{name}_difference",
        label=f"{label}, difference",
        unit=unit,
        direction=direction,
        description=f"{of} of the lesions less that of the skin around them. Exposure cancels out.",
        method=method,
        regions=(_CONTRAST,),
        clinical=True,
        limited=False,
    )


MEASURES = (
    _difference_of(
        "erythema_index",
        "Erythema index",
        "index",
        direction="a redder lesion",
        of="The erythema index",
        method=ERYTHEMA_METHOD,
    ),
    _difference_of(
        "melanin_index",
        "Melanin index",
        "index",
        direction="a darker lesion",
        of="The melanin index",
        method=MELANIN_METHOD,
    ),
    _difference_of(
        "melanin",
        "Melanin",
        "ln",
        direction="more melanin in the lesion",
        of="The logarithm of the volume fraction of melanin",
        method=_MODEL,
    ),
    _difference_of(
        "haemoglobin",
        "Haemoglobin",
        "ln",
        direction="more blood in the lesion",
        of="The logarithm of the volume fraction of blood",
        method=_MODEL,
    ),
)
#: what one unit of optical density may change each by, when codes are a little off
_PER_DENSITY = (
    100.0,
    200.0,
    25.0,
    33.0,
)  # what a unit of optical density may change each by, when codes are a little off


def lesion_contrast(maps: Pigment, found: Segmentation | None, skin: Mask) -> tuple[Measurement, ...]:
    """All lesions minus the ``skin`` (H, W) around them, for each map.

    The difference cancels exposure, and the constant melanin that the erythema index sees on dark skin. None where
    there is no lesion or no skin around it, be it only at a threshold a step lower or higher: it hangs on a trifle then
    whether there is one. None, too, where it is a guess which part of the skin is bare.
    """
    absent = tuple(measure.measurement(_CONTRAST) for measure in MEASURES)
    if found is None or is_doubtful(found, skin):
        return absent
    outlines = list(_outlines(found, skin))
    left, top, wide, high = cv2.boundingRect(np.logical_or.reduce([a | b for a, b in outlines]).view(np.uint8))
    box = slice(top, top + high), slice(left, left + wide)
    parts = {id(mask): Region(_CONTRAST, mask[box]) for outline in outlines for mask in outline}  # some are shared
    if not all(part.usable for part in parts.values()):
        return absent
    values = maps.within(box)
    means = {of: _means(part, values) for of, part in parts.items()}
    differences = np.array([means[id(lesion)] - means[id(around)] for lesion, around in outlines])
    changes = np.abs(differences[1:] - differences[0]).max(axis=0)
    both = [id(mask) for mask in outlines[0]]
    green = np.array([means[of][:2].sum() for of in both])  # its index: the sum of the first two
    step = float(np.hypot(*code_step(green / PER_DECADE)))
    sides = parts[both[0]], parts[both[1]]
    return tuple(
        _difference(measure, of, sides, (change, step * per_density))
        for measure, of, change, per_density in zip(MEASURES, values, changes.tolist(), _PER_DENSITY, strict=True)
    )


def _outlines(found: Segmentation, skin: Mask) -> Iterator[tuple[Mask, Mask]]:
    """The lesions as found, at lower and higher thresholds, and without each that makes up much of them; each with the
    skin around."""
    around = surroundings(found.mask, skin)
    yield found.mask, around
    yield found.wide, surroundings(found.wide, skin)
    yield found.narrow, around
    labels, areas = found.parts
    if len(areas) > 2:
        for label in np.flatnonzero(areas >= _LARGE * areas.sum()):
            rest = found.mask & (labels != label)
            yield rest, surroundings(rest, skin)


def _means(part: Region, maps: Sequence[Floats]) -> NDArray[np.float64]:
    """The mean of each of n ``maps`` (H, W), (n,)."""
    inside = part.mask.view(np.uint8)
    return np.array([total(values, inside) / part.pixels for values in maps])


def _difference(
    measure: Measure, values: Floats, sides: tuple[Region, Region], unsure: tuple[float, float]
) -> Measurement:
    """``measure``: the mean of ``values`` (H, W) in the first of two ``sides``, both usable, less that in the other,
    with its standard error and what else it is ``unsure`` by."""
    (lesion, of_lesion), (around, of_around) = (part.means(values) for part in sides)
    spread = math.hypot(standard_error(of_lesion) or 0.0, standard_error(of_around) or 0.0, *unsure)
    return measure.measurement(_CONTRAST, lesion - around, spread)

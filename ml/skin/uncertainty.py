"""How far a measurement may move when its photo comes a little differently: smaller, compressed, lighter or darker.

The standard error from image blocks tells how much the skin in a photo varies, and nothing of the photo itself. Limits
tell that: `python -m research.repeatability` took every measurement again at 0.8 of a photo's size, as a JPEG of
quality 80 and with 5% more and less exposure, and `--fit` prints the limits that cover 99.8% of the moves of every
other photo (of a lesion's area and the spots 99.5%: in the rest something else is found, and no useful limit tells
that), with a reserve. They are what a value moves by beyond what its own photo tells of how sure it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ml.values import Measurement, Zone


@dataclass(frozen=True)
class Limit:
    """What a value v may move by, in its unit: ``absolute`` + ``relative`` · the amount of v."""

    absolute: float
    relative: float = 0.0

    def of(self, value: float) -> float:
        return self.absolute + self.relative * abs(value)


#: of the skin, or of a face, as a whole. A lesion's differences from the skin around it need none beside their own.
LIMITS: Mapping[str, Limit] = {
    "skin_coverage": Limit(0.099, 0.04),
    "lightness": Limit(0.24, 0.06),
    "redness": Limit(0.59, 0.03),
    "yellowness": Limit(0.31, 0.04),
    "erythema_index": Limit(1.2, 0.01),
    "melanin_index": Limit(5.9),
    "lines": Limit(0.47, 0.04),
    "roughness": Limit(0.093),
    "glcm_contrast_d1": Limit(0.32, 0.15),
    "glcm_contrast_d3": Limit(0.61, 0.15),
    "glcm_homogeneity_d1": Limit(0.035),
    "glcm_homogeneity_d3": Limit(0.024),
    "lbp_entropy": Limit(0.08),
    "evenness": Limit(0.18, 0.15),
    "lesion_area": Limit(0.05, 0.02),
    "lesion_asymmetry": Limit(0.035, 0.03),
    "lesion_border_irregularity": Limit(0.077, 0.15),
    "lesion_colour_variegation": Limit(2.3, 0.02),
    "lesion_diameter_px": Limit(0, 0.043),
    "lesion_diameter_mm": Limit(0, 0.043),
    "spot_count": Limit(2.4, 0.3),
    "spot_area": Limit(0.048),
}
#: of the L* and b* that a typology angle is taken of. White balance may take another patch for grey, and moves b* more.
ANGLE_LIMITS: Mapping[str, tuple[Limit, Limit]] = {
    "ita": (Limit(3.0, 0.02), Limit(0.7, 0.03)),
    "ita_white_balanced": (Limit(3.3, 0.02), Limit(4.0, 0.1)),
}
#: of a zone of a face, whose outline moves too
ZONE_LIMITS: Mapping[str, Limit] = {
    "lightness": Limit(0.23, 0.05),
    "redness": Limit(0.0051, 0.05),
    "erythema_index": Limit(0.6),
    "evenness": Limit(0.22, 0.1),
    "lines": Limit(1.4, 0.1),
    "roughness": Limit(0.015, 0.08),
    "pores": Limit(0.02, 0.06),
}


def with_repeatability(
    measurements: Iterable[Measurement], limits: Mapping[str, Limit] = LIMITS
) -> tuple[Measurement, ...]:
    """``measurements``, each with the root of the sum of squares of its standard error and its limit."""
    return tuple(_combined(m, limits[m.name].of(m.value or 0.0)) if m.name in limits else m for m in measurements)


def either_way(measured: Iterable[Measurement], otherwise: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """``measured``, each as unsure as it differs from what it may as well be, ``otherwise``; without a value where that
    has none."""
    return tuple(map(_either_way, measured, otherwise))


def _either_way(measured: Measurement, otherwise: Measurement) -> Measurement:
    if measured.value is None or otherwise.value is None:
        return replace(measured, value=None, uncertainty=None)
    return _combined(measured, measured.value - otherwise.value)


def repeatable_zone(zone: Zone) -> Zone:
    """``zone`` with the limits of zones added to its measurements."""
    return replace(zone, measurements=with_repeatability(zone.measurements, ZONE_LIMITS))


def _combined(measurement: Measurement, limit: float) -> Measurement:
    if measurement.value is None:
        return measurement
    return replace(measurement, uncertainty=math.hypot(measurement.uncertainty or 0.0, limit))


def angle_limit(name: str, lightness: float, yellowness: float) -> float:
    """Of a typology angle, in degrees: near its pole, at L* 50 without yellow, it is unsure however sure L* and b* are.

    atan2(L* − 50, b*) to first order in both (JCGM 100:2008, 5.1).
    """
    of_lightness, of_yellowness = ANGLE_LIMITS[name]
    up, along = lightness - 50, yellowness
    moved = math.hypot(along * of_lightness.of(lightness), up * of_yellowness.of(yellowness))
    return min(180.0, math.degrees(moved / max(up**2 + along**2, 1e-6)))

"""How far a measurement may move when its photo comes a little differently: smaller, compressed, lighter or darker.

The standard error from image blocks tells how much the skin in a photo varies, and nothing of the photo itself. Limits
tell that: `python -m benchmarks.repeatability` took every measurement again at 0.8 of a photo's size, as a JPEG of
quality 80 and with 5% more and less exposure, and `--fit` prints the limits that cover 99.5% of the moves of every
other photo; of lesions and spots 98%, and what their range over other thresholds does not cover. They also hold what
the skin's outline moves by.
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


#: of the skin, or of a face, as a whole. A lesion's area needs none beside its range over other thresholds.
LIMITS: Mapping[str, Limit] = {
    "skin_coverage": Limit(0.088, 0.08),
    "ita_white_balanced": Limit(22),
    "lightness": Limit(2.6, 0.02),
    "redness": Limit(0.55, 0.03),
    "yellowness": Limit(0.49, 0.03),
    "erythema_index": Limit(0.65, 0.08),
    "melanin_index": Limit(5.2, 0.01),
    "lines": Limit(0.49, 0.06),
    "roughness": Limit(0.11),
    "glcm_contrast_d1": Limit(0.12, 0.15),
    "glcm_contrast_d3": Limit(0.53, 0.12),
    "glcm_homogeneity_d1": Limit(0.027),
    "glcm_homogeneity_d3": Limit(0.0076, 0.04),
    "lbp_entropy": Limit(0.068),
    "evenness": Limit(0.83, 0.03),
    "erythema_index_difference": Limit(2.2, 0.02),
    "melanin_index_difference": Limit(5.9, 0.04),
    "melanin_difference": Limit(0.34, 0.15),
    "haemoglobin_difference": Limit(0.39, 0.05),
    "lesion_asymmetry": Limit(0.076, 0.3),
    "lesion_border_irregularity": Limit(0.11, 0.3),
    "lesion_colour_variegation": Limit(0.077, 0.04),
    "lesion_diameter_px": Limit(0, 0.16),
    "lesion_diameter_mm": Limit(0, 0.16),
    "spot_count": Limit(1.8, 0.2),
    "spot_area": Limit(0.035),
}
#: of a zone of a face, whose outline moves too
ZONE_LIMITS: Mapping[str, Limit] = {
    "lightness": Limit(3.6),
    "redness": Limit(0.15, 0.04),
    "erythema_index": Limit(0.6),
    "evenness": Limit(0.22, 0.06),
    "lines": Limit(1.1, 0.2),
    "roughness": Limit(0.011, 0.08),
    "pores": Limit(0.02, 0.06),
}


def with_repeatability(
    measurements: Iterable[Measurement], limits: Mapping[str, Limit] = LIMITS
) -> tuple[Measurement, ...]:
    """``measurements``, each with the root of the sum of squares of its standard error and its limit."""
    found = tuple(measurements)
    combined = {m.name: _combined(m, limits[m.name].of(m.value or 0.0)) for m in found if m.name in limits}
    if "ita" in (m.name for m in found) and {"lightness", "yellowness"} <= combined.keys():
        angle = next(m for m in found if m.name == "ita")
        combined["ita"] = _combined(angle, _angle_limit(combined["lightness"], combined["yellowness"]))
    return tuple(combined.get(measurement.name, measurement) for measurement in found)


def repeatable_zone(zone: Zone) -> Zone:
    """``zone`` with the limits of zones added to its measurements."""
    return replace(zone, measurements=with_repeatability(zone.measurements, ZONE_LIMITS))


def _combined(measurement: Measurement, limit: float) -> Measurement:
    if measurement.value is None:
        return measurement
    return replace(measurement, uncertainty=math.hypot(measurement.uncertainty or 0.0, limit))


def _angle_limit(lightness: Measurement, yellowness: Measurement) -> float:
    """Of ITA, in degrees: near its pole, at L* 50 without yellow, the angle is unsure whatever L* and b* are sure to.

    atan2(L* − 50, b*) to first order in both (JCGM 100:2008, 5.1).
    """
    up, along = (lightness.value or 0.0) - 50, yellowness.value or 0.0
    moved = math.hypot(along * (lightness.uncertainty or 0.0), up * (yellowness.uncertainty or 0.0))
    return min(180.0, math.degrees(moved / max(up**2 + along**2, 1e-6)))

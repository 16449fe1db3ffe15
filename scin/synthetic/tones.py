"""The ten Monk tones as amounts of melanin, fitted so that bare skin lands near the published swatches.

Tones 6 to 10 are fitted to their swatches' L* and ITA, tone 5 to its ITA alone. The palest swatches are whiter than
skin can be (their L* of 88 to 94 exceeds what blood and scattering allow, about 76), so tones 1 to 4 are spread
evenly, in the logarithm of melanin, between almost none and tone 5: their order is right, their L* and ITA are lower
than the swatch's.
Swatches: E. Monk, "Monk Skin Tone Scale" (2019), skintone.google.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from scin.synthetic import optics

SWATCH_L = (94.2, 92.3, 93.1, 87.6, 77.9, 55.1, 42.5, 30.7, 21.1, 14.6)
SWATCH_ITA_DEG = (83.0, 80.0, 72.0, 65.0, 50.0, 11.0, -20.0, -55.0, -78.0, -84.0)
MONK_TONES = tuple(range(1, 11))

RESTING_BLOOD = 0.005  # volume fraction in the dermis of skin at rest
FIRST_FITTED_TONE = 5
PALEST_MELANIN = 0.0014
ITA_WEIGHT = 0.25  # a degree of ITA counts as a quarter of a unit of L*


@dataclass(frozen=True, slots=True)
class Tone:
    """Bare skin of one Monk tone: `melanin` and `blood` are volume fractions, `lightness` is L* (D65)."""

    monk: int
    melanin: float
    blood: float
    lightness: float
    ita_deg: float


@cache
def tones() -> tuple[Tone, ...]:
    """The ten tones, palest first; melanin rises and ITA falls strictly from each to the next."""
    fitted = [_fit(monk) for monk in range(FIRST_FITTED_TONE, 11)]
    pale = np.geomspace(PALEST_MELANIN, fitted[0], FIRST_FITTED_TONE)[:-1]
    return tuple(_tone(monk, float(melanin)) for monk, melanin in zip(MONK_TONES, [*pale, *fitted], strict=True))


def ita_of(melanin: float, blood: float) -> float:
    """ITA in degrees of bare skin with these volume fractions, in D65 light."""
    return float(optics.individual_typology_angle(optics.lab(melanin, blood)))


def _tone(monk: int, melanin: float) -> Tone:
    colour = optics.lab(melanin, RESTING_BLOOD)
    return Tone(monk, melanin, RESTING_BLOOD, float(colour[0]), float(optics.individual_typology_angle(colour)))


def _fit(monk: int) -> float:
    candidates = np.geomspace(*optics.MELANIN_RANGE, 4000)
    colours = optics.lab(candidates, RESTING_BLOOD)
    lightness_error = colours[:, 0] - SWATCH_L[monk - 1]
    ita_error = optics.individual_typology_angle(colours) - SWATCH_ITA_DEG[monk - 1]
    if monk == FIRST_FITTED_TONE:
        return float(candidates[np.argmin(np.abs(ita_error))])
    return float(candidates[np.argmin(lightness_error**2 + (ITA_WEIGHT * ita_error) ** 2)])

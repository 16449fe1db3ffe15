"""The colour of skin from its pigments, and the ten Monk tones as amounts of melanin.

Melanin filters light above a scattering dermis that contains blood. Light crosses the epidermis twice (Beer–Lambert,
diffuse path); the semi-infinite dermis reflects by Kubelka–Munk (K = 2 µa, S = ¾ µs′ − ¼ µa); the skin's surface
reflects part of that light back inside (Saunderson). All constants are from published spectra (``ml.skin.optics``).
The analysis inverts a similar model, so agreement with this one shows consistency, not that it is right about skin.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin import optics as spectra

Floats = NDArray[np.float64]
Map = NDArray[np.float32]

MELANIN_RANGE = (0.0008, 0.95)
"""Volume fraction of melanosomes in the epidermis: the range of the colour table."""
BLOOD_RANGE = (0.0004, 0.30)
"""Volume fraction of blood in the dermis: the range of the colour table."""
TABLE_MELANIN, TABLE_BLOOD = 384, 256

EPIDERMIS_CM = 60e-4
DIFFUSE_PATH = 2.0  # mean path of diffuse light through a thin layer, in thicknesses
OXYGEN_SATURATION = 0.70
SURFACE_REFLECTION = 0.04  # of the light that enters, at a refractive index of 1.4 to 1.5
INTERNAL_REFLECTION = 0.45  # of the diffuse light that leaves
CORNEUM_BACKSCATTER = 0.012  # white light that returns from above the pigment: it keeps dark skin from being black

D65_WHITE_XYZ = np.array([0.95047, 1.0, 1.08883])
XYZ_TO_LINEAR_SRGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)  # IEC 61966-2-1

MONK_TONES = tuple(range(1, 11))
#: of the published swatches: E. Monk, "Monk Skin Tone Scale" (2019), skintone.google
SWATCH_L = (94.2, 92.3, 93.1, 87.6, 77.9, 55.1, 42.5, 30.7, 21.1, 14.6)
SWATCH_ITA_DEG = (83.0, 80.0, 72.0, 65.0, 50.0, 11.0, -20.0, -55.0, -78.0, -84.0)
RESTING_BLOOD = 0.005  # volume fraction in the dermis of skin at rest
FIRST_FITTED_TONE = 5
PALEST_MELANIN = 0.0014
ITA_WEIGHT = 0.25  # a degree of ITA counts as a quarter of a unit of L*


def reflectance(melanin: Floats | float, blood: Floats | float) -> Floats:
    """Diffuse spectral reflectance [..., 31] in [0, 1] of skin with these volume fractions (broadcast together)."""
    melanin = np.asarray(melanin, dtype=np.float64)[..., None]
    blood = np.asarray(blood, dtype=np.float64)[..., None]
    bare = spectra.bloodless_absorption()
    dermis_absorption = blood * spectra.blood_absorption(OXYGEN_SATURATION) + (1.0 - blood) * bare
    scattering = np.maximum(0.75 * spectra.dermal_scattering() - 0.25 * dermis_absorption, 1.0)
    ratio = 2.0 * dermis_absorption / scattering
    dermis = 1.0 + ratio - np.sqrt(ratio * (ratio + 2.0))
    epidermis_absorption = melanin * spectra.melanosome_absorption() + (1.0 - melanin) * bare
    once = np.exp(-DIFFUSE_PATH * EPIDERMIS_CM * epidermis_absorption)
    below = once * once * dermis
    leaving = (1.0 - INTERNAL_REFLECTION) * below / (1.0 - INTERNAL_REFLECTION * below)
    return np.asarray(CORNEUM_BACKSCATTER + (1.0 - SURFACE_REFLECTION) * leaving)


def reflectance_to_linear_srgb(spectrum: Floats) -> Floats:
    """Linear sRGB [..., 3] of reflectance spectra [..., 31] in D65 light; a perfect white is (1, 1, 1)."""
    return np.asarray(_reflectance_to_xyz(spectrum) @ XYZ_TO_LINEAR_SRGB.T)


def _reflectance_to_xyz(spectrum: Floats) -> Floats:
    weights = spectra.observer() * spectra.D65
    # Scaled so that the fit's white is exactly D65's: a grey card photographs grey.
    return np.asarray(spectrum @ (weights / weights.sum(axis=1, keepdims=True) * D65_WHITE_XYZ[:, None]).T)


def lab(melanin: Floats | float, blood: Floats | float) -> Floats:
    """CIE L*a*b* [..., 3] (D65) of skin with these volume fractions."""
    ratio = _reflectance_to_xyz(reflectance(melanin, blood)) / D65_WHITE_XYZ
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def individual_typology_angle(colour: Floats) -> Floats:
    """ITA in degrees of L*a*b* colours [..., 3]: atan2(L* − 50, b*) (Chardon et al. 1991)."""
    return np.asarray(np.degrees(np.arctan2(colour[..., 0] - 50.0, colour[..., 2])))


def colour_of(log_melanin: Map, log_blood: Map) -> Map:
    """Linear sRGB float32 [H, W, 3] of maps of the natural logarithms of both volume fractions [H, W].

    Interpolated bilinearly in a table of the spectral model; values outside the table take its edge.
    """
    x = _table_position(log_melanin, MELANIN_RANGE, TABLE_MELANIN)
    y = _table_position(log_blood, BLOOD_RANGE, TABLE_BLOOD)
    return np.asarray(cv2.remap(_colour_table(), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _table_position(values: Map, bounds: tuple[float, float], steps: int) -> Map:
    low, high = np.log(bounds[0]), np.log(bounds[1])
    return ((values - np.float32(low)) * np.float32((steps - 1) / (high - low))).astype(np.float32, copy=False)


@cache
def _colour_table() -> Map:
    melanin = np.geomspace(*MELANIN_RANGE, TABLE_MELANIN)
    blood = np.geomspace(*BLOOD_RANGE, TABLE_BLOOD)
    colours = reflectance_to_linear_srgb(reflectance(melanin[None, :], blood[:, None]))
    return np.clip(colours, 0.0, 1.0).astype(np.float32)


@cache
def tone_melanin() -> tuple[float, ...]:
    """The melanin (volume fraction) of bare skin of the ten Monk tones, palest first, at RESTING_BLOOD.

    Tones 6 to 10 are fitted to their swatches' L* and ITA, tone 5 to its ITA alone. The palest swatches are whiter than
    skin can be (L* of 88 to 94; blood and scattering allow about 76), so tones 1 to 4 are spaced evenly, in log
    melanin, between almost none and tone 5: their order is right, their L* and ITA are below the swatches'.
    """
    fitted = [_fit_melanin(monk) for monk in MONK_TONES[FIRST_FITTED_TONE - 1 :]]
    pale = np.geomspace(PALEST_MELANIN, fitted[0], FIRST_FITTED_TONE)[:-1]
    return (*pale.tolist(), *fitted)


def _fit_melanin(monk: int) -> float:
    candidates = np.geomspace(*MELANIN_RANGE, 4000)
    colours = lab(candidates, RESTING_BLOOD)
    lightness_error = colours[:, 0] - SWATCH_L[monk - 1]
    ita_error = individual_typology_angle(colours) - SWATCH_ITA_DEG[monk - 1]
    if monk == FIRST_FITTED_TONE:
        return float(candidates[np.argmin(np.abs(ita_error))])
    return float(candidates[np.argmin(lightness_error**2 + (ITA_WEIGHT * ita_error) ** 2)])

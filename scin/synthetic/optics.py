"""Skin's colour from its chromophores: a melanin filter over a scattering, blood-filled dermis.

The epidermis transmits light twice (Beer–Lambert, diffuse path); below it a semi-infinite dermis reflects by
Kubelka–Munk (K = 2 µa, S = ¾ µs′ − ¼ µa), and the skin's surface sends part of that back inside (Saunderson).
The constants are of published spectra (`ml.skin.optics`), not of any photograph. The analysis inverts a model of the
same kind: agreement with these maps shows that it is consistent with that physics, not that it is right about skin.
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
"""Melanosomes in the epidermis, volume fraction: the range of the colour table."""
BLOOD_RANGE = (0.0004, 0.30)
"""Blood in the dermis, volume fraction: the range of the colour table."""

EPIDERMIS_CM = 60e-4
DIFFUSE_PATH = 2.0  # mean path of diffuse light through a thin layer, in thicknesses
OXYGEN_SATURATION = 0.70
SURFACE_REFLECTION = 0.04  # of the light that enters, at a refractive index of 1.4 to 1.5
INTERNAL_REFLECTION = 0.45  # of the diffuse light that leaves
CORNEUM_BACKSCATTER = 0.012  # white light that returns from above the pigment: what keeps dark skin from black

D65_WHITE_XYZ = np.array([0.95047, 1.0, 1.08883])
XYZ_TO_LINEAR_SRGB = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)  # IEC 61966-2-1

TABLE_MELANIN, TABLE_BLOOD = 384, 256


def reflectance(melanin: Floats | float, blood: Floats | float) -> Floats:
    """Diffuse spectral reflectance [..., 31] in [0, 1] of skin with these volume fractions (broadcast together)."""
    melanin = np.asarray(melanin, dtype=np.float64)[..., None]
    blood = np.asarray(blood, dtype=np.float64)[..., None]
    bare = spectra.bloodless_absorption()
    dermis_absorption = blood * spectra.blood_absorption(OXYGEN_SATURATION) + (1.0 - blood) * bare
    ratio = 2.0 * dermis_absorption / _kubelka_munk_scattering(dermis_absorption)
    dermis = 1.0 + ratio - np.sqrt(ratio * (ratio + 2.0))
    epidermis_absorption = melanin * spectra.melanosome_absorption() + (1.0 - melanin) * bare
    once = np.exp(-DIFFUSE_PATH * EPIDERMIS_CM * epidermis_absorption)
    below = once * once * dermis
    leaving = (1.0 - INTERNAL_REFLECTION) * below / (1.0 - INTERNAL_REFLECTION * below)
    return np.asarray(CORNEUM_BACKSCATTER + (1.0 - SURFACE_REFLECTION) * leaving)


def reflectance_to_linear_srgb(spectrum: Floats) -> Floats:
    """Linear sRGB [..., 3] of reflectance spectra [..., 31] in D65 light; a perfect white is (1, 1, 1)."""
    return np.asarray(_reflectance_to_xyz(spectrum) @ XYZ_TO_LINEAR_SRGB.T)


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

    Read bilinearly from a table of the spectral model; values beyond the table take its edge.
    """
    x = _table_position(log_melanin, MELANIN_RANGE, TABLE_MELANIN)
    y = _table_position(log_blood, BLOOD_RANGE, TABLE_BLOOD)
    return np.asarray(cv2.remap(_colour_table(), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _kubelka_munk_scattering(absorption: Floats) -> Floats:
    return np.maximum(0.75 * spectra.dermal_scattering() - 0.25 * absorption, 1.0)


def _reflectance_to_xyz(spectrum: Floats) -> Floats:
    weights = spectra.observer() * spectra.D65
    # Scaled so that the fit's white is exactly D65's: a grey card photographs grey.
    return np.asarray(spectrum @ (weights / weights.sum(axis=1, keepdims=True) * D65_WHITE_XYZ[:, None]).T)


def _table_position(values: Map, bounds: tuple[float, float], steps: int) -> Map:
    low, high = np.log(bounds[0]), np.log(bounds[1])
    return ((values - np.float32(low)) * np.float32((steps - 1) / (high - low))).astype(np.float32, copy=False)


@cache
def _colour_table() -> Map:
    melanin = np.geomspace(*MELANIN_RANGE, TABLE_MELANIN)
    blood = np.geomspace(*BLOOD_RANGE, TABLE_BLOOD)
    colours = reflectance_to_linear_srgb(reflectance(melanin[None, :], blood[:, None]))
    return np.clip(colours, 0.0, 1.0).astype(np.float32)

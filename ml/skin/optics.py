"""The optical model of skin: its colour as a function of melanin and blood. The pigment maps invert this model.

It has two layers, as in Claridge et al. (Medical Image Analysis 7, 2003) and Alotaibi and Smith (BioFaceMaps, CVPR
Workshops 2017). Light crosses the epidermis twice, where melanin absorbs it (Beer–Lambert). The dermis scatters it
back, and blood in the dermis absorbs it (Kubelka–Munk, with K = 2 µa and S = ¾ µs′ − ¼ µa; Jacques 2013). The surface
reflects a little white light.

Spectra are 400–700 nm at 10 nm, from:

- Daylight: CIE standard illuminant D65 (CIE 15:2004, table T.1).
- Observer: the multi-lobe fit of the CIE 1931 2° colour matching functions by C. Wyman, P.-P. Sloan and
  P. Shirley, "Simple Analytic Approximations to the CIE XYZ Color Matching Functions", JCGT 2(2), 2013.
- Haemoglobin: molar extinction compiled by S. Prahl (Oregon Medical Laser Center) from Gratzer and Kollias,
  cm⁻¹/(mol/L), with 64,500 g/mol.
- Melanin, bloodless tissue and dermal scattering: S. L. Jacques, "Skin Optics" (OMLC News, 1998) and
  "Optical properties of biological tissues: a review", Phys. Med. Biol. 58 (2013) R37.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ml.skin import colour
from ml.values import Doubles, Floats

Spectrum = Doubles

WAVELENGTHS_NM: Spectrum = np.arange(400.0, 701.0, 10.0)

# fmt: off
D65: Spectrum = np.array([
    82.7549, 91.486, 93.4318, 86.6823, 104.865, 117.008, 117.812, 114.861, 115.923, 108.811, 109.354,
    107.802, 104.79, 107.689, 104.405, 104.046, 100.0, 96.3342, 95.788, 88.6856, 90.0062, 89.5991,
    87.6987, 83.2886, 83.6992, 80.0268, 80.2146, 82.2778, 78.2842, 69.7213, 71.6091,
])
OXYHAEMOGLOBIN: Spectrum = np.array([
    266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209.2, 26629.2, 23684.4, 20932.8,
    20035.2, 24202.4, 39956.8, 53236, 43016, 32613.2, 44496, 50104, 14400.8, 3200, 1506,
    942, 610, 442, 368, 319.6, 294, 277.6, 276, 290,
])
DEOXYHAEMOGLOBIN: Spectrum = np.array([
    223296, 303956, 407560, 528600, 413280, 103292, 23388.8, 16156.4, 14550, 16684, 20862,
    25773.6, 31589.6, 39036.4, 46592, 53412, 53788, 45072, 37020, 28324.4, 14677.2, 9443.6,
    6509.6, 5148.8, 4345.2, 3750.12, 3226.56, 2795.12, 2407.92, 2051.96, 1794.28,
])
# fmt: on

GRAMS_OF_HAEMOGLOBIN_PER_LITRE = 150.0
GRAMS_PER_MOLE = 64500.0

LOG_MELANIN = np.linspace(np.log(0.0001), np.log(0.9), 121)
"""Natural logarithms of the volume fraction of melanosomes in the epidermis: the table's columns."""
LOG_BLOOD = np.linspace(np.log(0.0003), np.log(0.3), 65)
"""Natural logarithms of the volume fraction of blood in the dermis: the table's rows."""

_PATH_CM = 2 * 2 * 60e-4  # twice through 60 µm; the mean path of diffuse light is twice the depth
_OXYGENATION = 0.7
_INTERNAL = 0.45  # share of diffuse light that the surface reflects back into the skin (Saunderson 1942)
_SURFACE = 0.012  # share of the light that the surface reflects
_ENTERS = 0.96  # share of the light that enters skin, whose refractive index is 1.4 to 1.5


def observer() -> Doubles:
    """CIE 1931 2° colour matching functions x̄, ȳ, z̄ (3, 31), by Wyman's multi-lobe fit."""
    x = 1.056 * _lobe(599.8, 37.9, 31.0) + 0.362 * _lobe(442.0, 16.0, 26.7) - 0.065 * _lobe(501.1, 20.4, 26.2)
    y = 0.821 * _lobe(568.8, 46.9, 40.5) + 0.286 * _lobe(530.9, 16.3, 31.1)
    z = 1.217 * _lobe(437.0, 11.8, 36.0) + 0.681 * _lobe(459.0, 26.0, 13.8)
    return np.stack([x, y, z])


def melanosome_absorption() -> Spectrum:
    """Absorption of the interior of a melanosome, cm⁻¹: 6.6·10¹¹ λ⁻³·³³ (Jacques)."""
    return 6.6e11 * WAVELENGTHS_NM**-3.33


def bloodless_absorption() -> Spectrum:
    """Absorption of skin without blood or melanin, cm⁻¹: 0.244 + 85.3 exp(−(λ − 154)/66.2) (Jacques)."""
    return 0.244 + 85.3 * np.exp(-(WAVELENGTHS_NM - 154.0) / 66.2)


def blood_absorption(oxygen_saturation: float) -> Spectrum:
    """Absorption of whole blood (150 g/L), cm⁻¹, at an oxygen saturation in [0, 1]."""
    extinction = oxygen_saturation * OXYHAEMOGLOBIN + (1.0 - oxygen_saturation) * DEOXYHAEMOGLOBIN
    return np.asarray(np.log(10.0) * extinction * GRAMS_OF_HAEMOGLOBIN_PER_LITRE / GRAMS_PER_MOLE)


def dermal_scattering() -> Spectrum:
    """Reduced scattering coefficient of skin, cm⁻¹: 46 (λ/500)⁻¹·⁴²¹ (Jacques 2013, table 1)."""
    return 46.0 * (WAVELENGTHS_NM / 500.0) ** -1.421


def _lobe(centre_nm: float, width_below_nm: float, width_above_nm: float) -> Spectrum:
    width = np.where(centre_nm > WAVELENGTHS_NM, width_below_nm, width_above_nm)
    return np.exp(-0.5 * ((WAVELENGTHS_NM - centre_nm) / width) ** 2)


def reflectance(melanin: Doubles, blood: Doubles) -> Spectrum:
    """The reflectance (…, 31) of skin with volume fractions ``melanin`` and ``blood`` that broadcast to (…, 1)."""
    tissue = bloodless_absorption()
    absorption = blood * blood_absorption(_OXYGENATION) + (1 - blood) * tissue
    ratio = 2 * absorption / np.maximum(0.75 * dermal_scattering() - 0.25 * absorption, 1)
    dermis = 1 + ratio - np.sqrt(ratio * (ratio + 2))
    below = dermis * np.exp(-_PATH_CM * (melanin * melanosome_absorption() + (1 - melanin) * tissue))
    return np.asarray(_SURFACE + _ENTERS * (1 - _INTERNAL) * below / (1 - _INTERNAL * below))


@cache
def density_table() -> Floats:
    """The optical density of skin, −ln of linear sRGB, in daylight (D65): (65 of blood, 121 of melanin, 3)."""
    seen = observer() * D65
    spectra = reflectance(np.exp(LOG_MELANIN)[None, :, None], np.exp(LOG_BLOOD)[:, None, None])
    tristimulus = spectra @ (seen / seen[1].sum()).T
    white = seen.sum(axis=1) / seen[1].sum()
    linear = tristimulus / white @ (colour.XYZ_TO_LINEAR * colour.D65).T
    return np.asarray(-np.log(np.maximum(linear, 1e-4)), np.float32)

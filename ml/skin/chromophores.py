"""The colour of skin as a function of its melanin and its blood: the model that the pigment maps invert.

Two layers, as in Claridge et al. (Medical Image Analysis 7, 2003) and Alotaibi and Smith (BioFaceMaps, CVPR Workshops
2017): light crosses the epidermis twice and is absorbed by melanin (Beer–Lambert), and a deep dermis, which scatters
and whose blood absorbs, sends it back (Kubelka–Munk, with K = 2 µa and S = ¾ µs′ − ¼ µa of Jacques 2013). A little
white light returns from the surface. Spectra and their sources: `ml.skin.spectra`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ml.skin import spectra
from ml.skin.colour import D65, XYZ_TO_LINEAR

Floats = NDArray[np.float32]

LOG_MELANIN = np.linspace(np.log(0.0001), np.log(0.9), 121)
"""Natural logarithms of the volume fraction of melanosomes in the epidermis: the table's columns."""
LOG_BLOOD = np.linspace(np.log(0.0003), np.log(0.3), 65)
"""Natural logarithms of the volume fraction of blood in the dermis: the table's rows."""

_PATH_CM = 2 * 2 * 60e-4  # there and back through 60 µm, at the mean path of diffuse light: twice the depth
_OXYGENATION = 0.7
_INTERNAL = 0.45  # reflected back into the skin at its surface, of diffuse light (Saunderson 1942)
_SURFACE = 0.012  # of the light, white, from above the melanin
_ENTERS = 0.96  # of the light, past the surface of skin, whose refractive index is 1.4 to 1.5


@cache
def density_table() -> Floats:
    """Optical density, −ln of linear sRGB in daylight (D65), of skin: (65 of blood, 121 of melanin, 3)."""
    melanin, blood = np.exp(LOG_MELANIN)[None, :, None], np.exp(LOG_BLOOD)[:, None, None]
    tissue = spectra.bloodless_absorption()
    absorption = blood * spectra.blood_absorption(_OXYGENATION) + (1 - blood) * tissue
    ratio = 2 * absorption / np.maximum(0.75 * spectra.dermal_scattering() - 0.25 * absorption, 1)
    dermis = 1 + ratio - np.sqrt(ratio * (ratio + 2))
    below = dermis * np.exp(-_PATH_CM * (melanin * spectra.melanosome_absorption() + (1 - melanin) * tissue))
    reflectance = _SURFACE + _ENTERS * (1 - _INTERNAL) * below / (1 - _INTERNAL * below)
    seen = spectra.observer() * spectra.D65
    tristimulus = reflectance @ (seen / seen[1].sum()).T
    white = seen.sum(axis=1) / seen[1].sum()
    linear = tristimulus / white @ (XYZ_TO_LINEAR * D65).T
    return np.asarray(-np.log(np.maximum(linear, 1e-4)), np.float32)

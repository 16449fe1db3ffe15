"""Pigment from colour: erythema and melanin indices, and melanin and haemoglobin maps.

All work on linear reflectance, taken here as the camera's linear RGB: no white reference stands in the photo,
so anything that is not a ratio of channels, or a difference within the photo, shifts with its exposure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import optical_density
from ml.skin.regions import Region
from ml.values import RGB, Mask, Measurement

Floats = NDArray[np.float32]

# Optical density per unit of pigment in R, G, B: Tsumura et al., ACM Trans. Graph. 22 (2003), from independent
# components of skin. The third axis is shading, which darkens all channels alike.
MELANIN = (0.4143, 0.3570, 0.8372)
HAEMOGLOBIN = (0.2988, 0.6838, 0.6657)
_UNMIX = np.linalg.inv(np.array([MELANIN, HAEMOGLOBIN, (1.0, 1.0, 1.0)]).T).astype(np.float32)
_PER_DECADE = np.float32(100 / np.log(10))
_MAPS = np.array([(-_PER_DECADE, _PER_DECADE, 0), (_PER_DECADE, 0, 0), *_UNMIX[:2]], np.float32)  # of R, G, B density

_EI = "100·log10(R/G), linear reflectance"
_MI = "100·log10(1/R), linear reflectance"
_TSUMURA = "optical density unmixed into melanin, haemoglobin and shading (Tsumura 2003)"
_CONTRAST = "lesion_minus_surrounding"


@dataclass(frozen=True, eq=False)
class Pigment:
    """Maps (H, W): ``erythema`` and ``melanin_index`` in index units, ``melanin`` and ``haemoglobin`` in units
    of Tsumura's components, relative to an unknown zero: only their differences within a photo have meaning."""

    erythema: Floats
    melanin_index: Floats
    melanin: Floats
    haemoglobin: Floats


def pigment_maps(rgb: RGB) -> Pigment:
    """The maps of a photo (H, W, 3)."""
    density = optical_density(rgb)
    erythema, melanin_index, melanin, haemoglobin = (
        np.asarray(cv2.transform(density, weights[None]), np.float32) for weights in _MAPS
    )
    return Pigment(erythema, melanin_index, melanin, haemoglobin)


def skin_pigment(maps: Pigment, skin: Region) -> tuple[Measurement, ...]:
    """Mean erythema and melanin index of a region of skin."""
    return (
        skin.mean("erythema_index", maps.erythema, "index", _EI),
        skin.mean("melanin_index", maps.melanin_index, "index", f"{_MI}; shifts with exposure"),
    )


def lesion_contrast(maps: Pigment, lesion: Mask | None, surrounding: Mask | None) -> tuple[Measurement, ...]:
    """Lesion minus surrounding skin, for each map; None where there is no lesion or no skin around it.

    The difference cancels exposure, and the constant melanin that the erythema index sees on dark skin.
    """
    parts = None
    if lesion is not None and surrounding is not None:
        parts = Region(_CONTRAST, lesion), Region(_CONTRAST, surrounding)
    return (
        _difference("erythema_index_difference", maps.erythema, parts, "index", _EI),
        _difference("melanin_index_difference", maps.melanin_index, parts, "index", _MI),
        _difference("melanin_difference", maps.melanin, parts, "a.u.", _TSUMURA),
        _difference("haemoglobin_difference", maps.haemoglobin, parts, "a.u.", _TSUMURA),
    )


def _difference(name: str, values: Floats, parts: tuple[Region, Region] | None, unit: str, method: str) -> Measurement:
    absent = Measurement(name, None, unit, method, _CONTRAST)
    if parts is None:
        return absent
    lesion, around = (part.mean(name, values, unit, method) for part in parts)
    if lesion.value is None or around.value is None:
        return absent
    spread = None
    if lesion.uncertainty is not None and around.uncertainty is not None:
        spread = float(np.hypot(lesion.uncertainty, around.uncertainty))
    return replace(absent, value=lesion.value - around.value, uncertainty=spread)

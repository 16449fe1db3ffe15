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
from ml.skin.unmixing import unmix
from ml.values import RGB, Mask, Measurement

Floats = NDArray[np.float32]

_PER_DECADE = np.float32(100 / np.log(10))
_INDICES = np.array([(-_PER_DECADE, _PER_DECADE, 0), (_PER_DECADE, 0, 0)], np.float32)  # of R, G, B density

_EI = "100·log10(R/G), linear reflectance"
_MI = "100·log10(1/R), linear reflectance"
_MODEL = "ln of the volume fraction, by a two-layer optical model of skin inverted (Claridge 2003, Jacques 2013)"
_CONTRAST = "lesion_minus_surrounding"


@dataclass(frozen=True, eq=False)
class Pigment:
    """Maps (H, W): ``erythema`` and ``melanin_index`` in index units, ``melanin`` and ``haemoglobin`` as natural
    logarithms of volume fractions, of melanosomes in the epidermis and of blood in the dermis, by `ml.skin.unmixing`.
    A model's fractions are no laboratory's: read differences within a photo."""

    erythema: Floats
    melanin_index: Floats
    melanin: Floats
    haemoglobin: Floats


def pigment_maps(rgb: RGB, skin: Mask | None = None) -> Pigment:
    """The maps of a photo (H, W, 3), whose exposure is judged by its ``skin`` (H, W), or by all of it."""
    density = optical_density(rgb)
    erythema, melanin_index = (np.asarray(cv2.transform(density, weights[None]), np.float32) for weights in _INDICES)
    melanin, haemoglobin = cv2.split(unmix(rgb, skin))
    return Pigment(erythema, melanin_index, np.asarray(melanin, np.float32), np.asarray(haemoglobin, np.float32))


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
        _difference("melanin_difference", maps.melanin, parts, "ln", _MODEL),
        _difference("haemoglobin_difference", maps.haemoglobin, parts, "ln", _MODEL),
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

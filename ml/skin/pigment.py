"""Pigment from colour: erythema and melanin indices, and melanin and haemoglobin maps.

All work on linear reflectance, taken here as the camera's linear RGB: no white reference stands in the photo,
so anything that is not a ratio of channels, or a difference within the photo, shifts with its exposure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import optical_density
from ml.skin.regions import Region
from ml.skin.unmixing import Box, unmix
from ml.values import RGB, Mask, Measurement

Floats = NDArray[np.float32]

_CODES = np.arange(256, dtype=np.uint8)
_INDEX = np.asarray(optical_density(_CODES) * (100 / np.log(10)), np.float32)  # of a code: 100·log10(1/linear)

_EI = "100·log10(R/G), linear reflectance"
_MI = "100·log10(1/R), linear reflectance"
_MODEL = "ln of the volume fraction, by a two-layer optical model of skin inverted (Claridge 2003, Jacques 2013)"
_CONTRAST = "lesion_minus_surrounding"
_DIFFERENCES = (
    ("erythema_index_difference", "index", _EI),
    ("melanin_index_difference", "index", _MI),
    ("melanin_difference", "ln", _MODEL),
    ("haemoglobin_difference", "ln", _MODEL),
)


@dataclass(frozen=True, eq=False)
class Pigment:
    """Maps (H, W) of a photo ``rgb`` (H, W, 3) whose exposure is judged by its ``skin`` (H, W), or by all of it:
    ``erythema`` and ``melanin_index`` in index units, ``melanin`` and ``haemoglobin`` as natural logarithms of volume
    fractions, of melanosomes in the epidermis and of blood in the dermis, by `ml.skin.unmixing`. A model's fractions
    are no laboratory's: read differences within a photo."""

    rgb: RGB
    skin: Mask | None
    erythema: Floats
    melanin_index: Floats

    def within(self, box: Box) -> tuple[Floats, ...]:
        """The four maps in a ``box``, for less than all of them would take."""
        fractions = unmix(self.rgb, self.skin, box)
        return self.erythema[box], self.melanin_index[box], fractions[..., 0], fractions[..., 1]

    @property
    def melanin(self) -> Floats:
        return self._fractions[..., 0]

    @property
    def haemoglobin(self) -> Floats:
        return self._fractions[..., 1]

    @cached_property
    def _fractions(self) -> Floats:
        return unmix(self.rgb, self.skin)


def pigment_maps(rgb: RGB, skin: Mask | None = None) -> Pigment:
    """The maps of a photo (H, W, 3) with ``skin`` (H, W); those of volume fractions are computed when they are read."""
    melanin_index, green = (np.asarray(cv2.LUT(cv2.extractChannel(rgb, code), _INDEX), np.float32) for code in (0, 1))
    return Pigment(rgb, skin, np.asarray(green - melanin_index, np.float32), melanin_index)


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
    absent = tuple(Measurement(name, None, unit, method, _CONTRAST) for name, unit, method in _DIFFERENCES)
    if lesion is None or surrounding is None or not (lesion.any() and surrounding.any()):
        return absent
    left, top, wide, high = cv2.boundingRect((lesion | surrounding).view(np.uint8))
    box = slice(top, top + high), slice(left, left + wide)
    parts = Region(_CONTRAST, lesion[box]), Region(_CONTRAST, surrounding[box])
    return tuple(_difference(measure, values, parts) for measure, values in zip(absent, maps.within(box), strict=True))


def _difference(absent: Measurement, values: Floats, parts: tuple[Region, Region]) -> Measurement:
    lesion, around = (part.mean(absent.name, values, absent.unit, absent.method) for part in parts)
    if lesion.value is None or around.value is None:
        return absent
    spread = None
    if lesion.uncertainty is not None and around.uncertainty is not None:
        spread = float(np.hypot(lesion.uncertainty, around.uncertainty))
    return replace(absent, value=lesion.value - around.value, uncertainty=spread)

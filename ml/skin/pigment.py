"""Pigment from colour: erythema and melanin indices, and melanin and haemoglobin maps.

All work on linear reflectance, taken here as the camera's linear RGB: no white reference stands in the photo,
so anything that is not a ratio of channels, or a difference within the photo, shifts with its exposure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import optical_density
from ml.skin.declaration import Measure
from ml.skin.regions import Region
from ml.skin.unmixing import Box, unmix
from ml.values import RGB, Mask, Measurement

Floats = NDArray[np.float32]

PER_DECADE = 100 / np.log(10)  #: an index's units in one of optical density
_CODES = np.arange(256, dtype=np.uint8)
_INDEX = np.asarray(optical_density(_CODES) * PER_DECADE, np.float32)  # of a code: 100·log10(1/linear)

ERYTHEMA_METHOD = "100·log10(R/G), linear reflectance"
MELANIN_METHOD = "100·log10(1/R), linear reflectance"
ERYTHEMA = Measure(
    name="erythema_index",
    label="Erythema index",
    unit="index",
    direction="redder",
    description="The redness of blood in the skin, from how much more red than green light it reflects. Brown pigment "
    "raises it too.",
    method=ERYTHEMA_METHOD,
    regions=("skin", "zone"),
)
MELANIN = Measure(
    name="melanin_index",
    label="Melanin index",
    unit="index",
    direction="more brown pigment",
    description="The brown pigment of the skin, from how little red light it reflects. It depends on the exposure.",
    method=f"{MELANIN_METHOD}; shifts with exposure",
)
MEASURES = (ERYTHEMA, MELANIN)


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
        melanin, haemoglobin = (np.asarray(part, np.float32) for part in cv2.split(unmix(self.rgb, self.skin, box)))
        return self.erythema[box], self.melanin_index[box], melanin, haemoglobin

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
        skin.mean(ERYTHEMA, maps.erythema),
        skin.mean(MELANIN, maps.melanin_index),
    )

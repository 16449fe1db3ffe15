"""Melanin and blood of each pixel of a photo, by the table of `ml.skin.inversion`.

The photo's exposure is judged first, by its typical skin. On dark skin the same blood moves a code by less than
rounding and noise do: there neighbours of like colour are averaged before they are looked up.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.chromophores import density_table
from ml.skin.colour import optical_density
from ml.skin.inversion import AVERAGED, NEAR, averaged_share, likeliest, likeliest_pigments, noise_of, weights_of
from ml.skin.ranks import medians
from ml.values import RGB, Mask

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Box = tuple[slice, slice]  #: rows and columns

_TYPICAL = 4  # values to a side that the typical skin is a mean of
_EXPOSURE = 0.15  # in optical density: one standard deviation of a photo's mean light
_TYPICAL_MISFIT = 0.05  # of the colour of a whole photo's skin, with the light's cast and flare
_REACH = 7  # values to a side that may be averaged
_ALIKE = 0.15  # in optical density, one standard deviation: neighbours further apart are not averaged


def unmix(rgb: RGB, skin: Mask | None = None, box: Box | None = None) -> Floats:
    """ln of the volume fractions of melanin and of blood (h, w, 2), in a ``box``, or all, of a photo (H, W, 3) with
    ``skin`` (H, W).

    Every four pixels are averaged, which halves the rounding. Without skin the values mean nothing, but are finite.
    """
    height, width = rgb.shape[:2]
    wanted = box or (slice(0, height), slice(0, width))
    fine = _shrink(optical_density(rgb), AVERAGED)
    exposure = _exposure(_typical(fine, skin))
    rows, columns = _seen(wanted[0], height, len(fine)), _seen(wanted[1], width, fine.shape[1])
    pigments = np.zeros((*fine.shape[:2], 2), np.float32)
    pigments[rows, columns] = likeliest_pigments(_steadied(fine[rows, columns]), exposure)
    return np.asarray(cv2.resize(pigments, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)[wanted]


def _seen(part: slice, pixels: int, values: int) -> slice:
    """Which of ``values`` along a side of so many ``pixels`` a ``part`` of these is computed from."""
    scale, beside = values / pixels, _REACH // 2 + 2  # two more, for the values between which a pixel lies
    return slice(max(0, int(part.start * scale) - beside), int(part.stop * scale) + 1 + beside)


def _steadied(density: Floats) -> Floats:
    """Densities (H, W, 3) of which those of dark skin are means of like neighbours (a bilateral filter)."""
    smooth = np.asarray(cv2.bilateralFilter(density, _REACH, _ALIKE, NEAR), np.float32)
    share = averaged_share(smooth)
    return np.asarray(density + cv2.merge([share, share, share]) * (smooth - density), np.float32)


def _shrink(values: Floats, factor: int) -> Floats:
    height, width = values.shape[:2]
    size = max(1, width // factor), max(1, height // factor)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _typical(density: Floats, skin: Mask | None) -> Doubles:
    """The median density (3,) of skin, of means of so many pixels that rounding hardly counts."""
    small = _shrink(density, _TYPICAL)
    colours = small.reshape(-1, 3)
    if skin is not None:
        size = small.shape[1], small.shape[0]
        whole = cv2.resize(skin.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel() > 0.99
        colours = colours[whole] if whole.any() else colours
    return medians(colours).astype(np.float64)


def _exposure(density: Doubles) -> float:
    """What the light adds to ``density`` (3,) of typical skin, at the pigments that are likeliest for it."""
    noise = noise_of(density, _TYPICAL_MISFIT)
    row, column = (int(i[0]) for i in likeliest(density[None], weights_of(noise[None], _EXPOSURE), 1))
    precision = 1 / noise
    rest = density - density_table()[row, column]
    found = float(precision @ rest / (precision.sum() + 1 / _EXPOSURE**2))
    return max(-2 * _EXPOSURE, min(2 * _EXPOSURE, found))  # more is a scale, or a mask that is not skin

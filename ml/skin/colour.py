"""Colour spaces and white balance, exact and vectorised. sRGB is IEC 61966-2-1; CIELAB is CIE 15 under D65."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import RGB

Floats = NDArray[np.float32]

WORKING_SIDE = 512  #: long side, in pixels, of the copy on which every measurement is taken

_CODES = np.arange(256) / 255
_LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)
_FLOOR = np.float32(_LINEAR[1] / 2)  # half a code above black: where a logarithm must not see zero
_DENSITY = -np.log(np.maximum(_LINEAR, _FLOOR))

_XYZ = np.array(  # IEC 61966-2-1, D65, Y of white = 1
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
D65 = _XYZ.sum(axis=1)  #: XYZ of sRGB white
LUMA = _XYZ[1].astype(np.float32)  #: weights of linear R, G, B in the relative luminance Y

_LAB_EDGE, _LAB_SLOPE = 216 / 24389, 24389 / 27  # CIE 15: ε and κ
_CLIPPED = 250  # codes from here on may stand for any brighter light


def working_copy(rgb: RGB) -> RGB:
    """``rgb`` with its long side at most 512 px, averaged by area; a smaller photo is returned as it is."""
    height, width = rgb.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def srgb_to_linear(rgb: RGB) -> Floats:
    """sRGB codes, any shape, to linear light 0–1."""
    return np.asarray(_LINEAR[rgb])


def linear_to_srgb(linear: Floats) -> RGB:
    """Linear light to the nearest sRGB codes; values outside 0–1 are clipped."""
    clipped = np.clip(linear, 0, 1)
    encoded = np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(encoded * 255), np.uint8)


def optical_density(rgb: RGB) -> Floats:
    """−ln of linear reflectance per channel, same shape; black counts as half of the darkest code above it."""
    return np.asarray(_DENSITY[rgb])


def linear_to_lab(linear: Floats) -> Floats:
    """Linear sRGB (…, 3) to CIELAB D65 (…, 3): L* 0–100, a* and b* in the same unit."""
    xyz = linear @ (_XYZ / D65[:, None]).T.astype(np.float32)
    f = np.where(xyz > _LAB_EDGE, np.cbrt(xyz), (_LAB_SLOPE * xyz + 16) / 116)
    lab = (116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2]))
    return np.stack(lab, axis=-1).astype(np.float32)


def rgb_to_lab(rgb: RGB) -> Floats:
    """sRGB codes (…, 3) to CIELAB D65 (…, 3)."""
    return linear_to_lab(srgb_to_linear(rgb))


def illuminant(rgb: RGB, p: float = 6) -> Floats | None:
    """The light's colour (3,), of unit length, by shades of grey: e_c = (mean I_c^p)^(1/p) on linear light.

    Finlayson and Trezzi (2004). p = 1 is grey-world, p → ∞ white-patch. Pixels with a clipped channel are left
    out, as they no longer tell the light's colour. None where no lit, unclipped pixel is left.
    """
    told = (rgb.max(axis=2) < _CLIPPED).astype(np.uint8)
    pixels = int(told.sum())
    if not pixels:
        return None
    powers = _LINEAR.astype(np.float64) ** p
    counts = [cv2.calcHist([rgb], [channel], told, [256], [0, 256]).ravel() for channel in range(3)]
    estimate = (np.array(counts, np.float64) @ powers / pixels) ** (1 / p)
    if estimate.min() <= 0:
        return None
    return np.asarray(estimate / np.linalg.norm(estimate), np.float32)


def white_balance(rgb: RGB, p: float = 6) -> Floats:
    """Linear light (H, W, 3) as if ``rgb`` were lit by white, by ``illuminant``; a grey under its light keeps its Y.

    A photo filled with skin has no grey to go by, and loses part of its skin's own colour: report what is
    computed from this beside the uncorrected value, never instead of it.
    """
    linear, light = srgb_to_linear(rgb), illuminant(rgb, p)
    return linear if light is None else linear * (np.float32(LUMA @ light) / light)


def shades_of_grey(rgb: RGB, p: float = 6) -> RGB:
    """``white_balance`` as sRGB codes, for showing."""
    return linear_to_srgb(white_balance(rgb, p))

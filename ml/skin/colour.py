"""Colour spaces and white balance, exact and vectorised. sRGB is IEC 61966-2-1; CIELAB is CIE 15 under D65."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.imaging.encodings import srgb
from ml.imaging.reduce import average
from ml.values import RGB

Floats = NDArray[np.float32]

WORKING_SIDE = 512  #: long side, in pixels, of the copy on which every measurement is taken

_CODES = np.arange(256) / 255
_LINEAR = srgb(_CODES).astype(np.float32)
_FLOOR = np.float32(_LINEAR[1] / 2)  # half a code above black: where a logarithm must not see zero
_DENSITY = -np.log(np.maximum(_LINEAR, _FLOOR))
_RISING, _STEPS = _DENSITY[:0:-1].astype(np.float64), -np.diff(_DENSITY)[::-1].astype(np.float64)  # of all codes but 0

_XYZ = np.array(  # IEC 61966-2-1, D65, Y of white = 1
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
D65 = _XYZ.sum(axis=1)  #: XYZ of sRGB white
XYZ_TO_LINEAR = np.linalg.inv(_XYZ)  #: (3, 3)
LUMA = _XYZ[1].astype(np.float32)  #: weights of linear R, G, B in the relative luminance Y

_TO_WHITE = (_XYZ / D65[:, None]).astype(np.float32)  # linear RGB to X/Xn, Y/Yn, Z/Zn
_LAB_EDGE, _LAB_SLOPE = np.float32(216 / 24389), np.float32(24389 / 27)  # CIE 15: ε and κ
_SHADES = 6  # Finlayson and Trezzi's p
_CLIPPED = 250  # codes from here on may stand for any brighter light


def working_copy(rgb: RGB) -> RGB:
    """``rgb`` with its long side at most 512 px, averaged by area; a smaller photo is returned as it is."""
    return shrink(rgb, WORKING_SIDE)


def shrink(rgb: RGB, side: int) -> RGB:
    """``rgb`` averaged by area, so that its long side is ``side`` pixels; as it is where it is no longer."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if width % size[0] == height % size[1] == 0:
        return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)  # adds whole pixels: fast
    averaged = average(rgb, *size[::-1])
    return np.asarray(np.rint(averaged, out=averaged), np.uint8)


def to_side(rgb: RGB, side: int) -> RGB:
    """``rgb`` brought to a long side of ``side`` pixels: averaged by area, or enlarged, so that a photo and a smaller
    copy of it show the same at the same place."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    if scale <= 1:
        return shrink(rgb, side)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def extremes(rgb: RGB) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The least and the greatest of R, G and B of each pixel, (H, W) both."""
    red, green, blue = cv2.split(rgb)
    least, greatest = (over(over(red, green), blue) for over in (cv2.min, cv2.max))
    return np.asarray(least, np.uint8), np.asarray(greatest, np.uint8)


def srgb_to_linear(rgb: RGB) -> Floats:
    """sRGB codes, any shape, to linear light 0–1."""
    return _look_up(rgb, _LINEAR)


def optical_density(rgb: RGB) -> Floats:
    """−ln of linear reflectance per channel, same shape; black counts as half of the darkest code above it."""
    return _look_up(rgb, _DENSITY)


def code_step(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far apart two neighbouring sRGB codes are in optical density, at each optical density."""
    return np.asarray(np.interp(density, _RISING, _STEPS), np.float64)


def _look_up(codes: RGB, table: Floats) -> Floats:
    """``table[codes]``: OpenCV's look-up is several times faster than NumPy's."""
    found = cv2.LUT(np.ascontiguousarray(codes).reshape(len(codes), -1), table)
    return np.asarray(found, np.float32).reshape(codes.shape)


def linear_to_lab(linear: Floats) -> Floats:
    """Linear sRGB (…, 3) to CIELAB D65 (…, 3): L* 0–100, a* and b* in the same unit. Each lies in one piece."""
    x, y, z = (_root(linear, weights) for weights in _TO_WHITE)
    lab = np.empty((3, *y.shape), np.float32)
    _lightness(y, out=lab[0])
    np.multiply(np.subtract(x, y, out=x), 500, out=lab[1])
    np.multiply(np.subtract(y, z, out=z), 200, out=lab[2])
    return np.moveaxis(lab, 0, -1)


def rgb_to_lab(rgb: RGB) -> Floats:
    """sRGB codes (…, 3) to CIELAB D65 (…, 3)."""
    return linear_to_lab(srgb_to_linear(rgb))


def lightness(rgb: RGB) -> Floats:
    """L* (…) of sRGB codes (…, 3): what ``rgb_to_lab`` gives, without the colours."""
    return _lightness(_root(srgb_to_linear(rgb), _TO_WHITE[1]))


def lightness_and_b(rgb: RGB, light: Floats | None = None) -> tuple[Floats, Floats]:
    """L* and b* (…) of sRGB codes (…, 3), which tell the tone of skin; ``light``: as if lit by white instead of this
    (3,), by ``illuminant``; a grey under its light keeps its Y.

    A photo filled with skin has no grey to go by, and loses part of its skin's own colour: report what is computed
    for a ``light`` beside the uncorrected value, never instead of it.
    """
    return linear_to_lightness_and_b(srgb_to_linear(rgb), light)


def linear_to_lightness_and_b(linear: Floats, light: Floats | None = None) -> tuple[Floats, Floats]:
    """``lightness_and_b`` of linear sRGB (…, 3)."""
    to_white = _TO_WHITE if light is None else np.asarray(_TO_WHITE * _gains(light), np.float32)
    y, z = (_root(linear, weights) for weights in to_white[1:])
    return _lightness(y), np.multiply(np.subtract(y, z, out=z), 200, out=z)


def _root(linear: Floats, weights: Floats) -> Floats:
    """CIE 15's f, nearly a cube root, of the sum (…) of linear sRGB (…, 3) times ``weights`` (3,)."""
    f = np.asarray(cv2.transform(linear.reshape(-1, 1, 3), weights[None]), np.float32)
    dark = f <= _LAB_EDGE
    straight = (_LAB_SLOPE * f[dark] + 16) / 116 if dark.any() else None
    np.cbrt(f, out=f)
    if straight is not None:
        f[dark] = straight
    return f.reshape(linear.shape[:-1])


def _lightness(y: Floats, out: Floats | None = None) -> Floats:
    """L* of f(Y)."""
    scaled = np.multiply(y, 116, out=out)
    return np.subtract(scaled, 16, out=scaled)


def illuminant(rgb: RGB) -> Floats | None:
    """The light's colour (3,), of unit length, by shades of grey: e_c = (mean I_c^p)^(1/p) on linear light.

    Finlayson and Trezzi (2004), with their p = 6; p = 1 is grey-world, p → ∞ white-patch. Pixels with a clipped
    channel are left out, as they no longer tell the light's colour. None where no lit, unclipped pixel is left.
    """
    channels = cv2.split(rgb)
    told = (cv2.max(cv2.max(*channels[:2]), channels[2]) < _CLIPPED).view(np.uint8)
    pixels = cv2.countNonZero(told)
    if not pixels:
        return None
    some = None if pixels == told.size else told
    powers = _LINEAR.astype(np.float64) ** _SHADES
    counts = [cv2.calcHist([channel], [0], some, [256], [0, 256]).ravel() for channel in channels]
    estimate = (np.array(counts, np.float64) @ powers / pixels) ** (1 / _SHADES)
    if estimate.min() <= 0:
        return None
    return np.asarray(estimate / np.linalg.norm(estimate), np.float32)


def _gains(light: Floats) -> Floats:
    """What turns linear R, G and B (3,) under ``light`` (3,) into those under white."""
    return np.asarray(LUMA @ light / light, np.float32)

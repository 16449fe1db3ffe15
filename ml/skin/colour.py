"""Colour spaces, white balance and resizing. sRGB is IEC 61966-2-1; CIELAB is CIE 15 under D65."""

from __future__ import annotations

import cv2
import numpy as np

from ml.imaging.encodings import srgb
from ml.imaging.reduce import average
from ml.values import RGB, Bytes, Doubles, Floats, Mask

WORKING_SIDE = 512  #: long side, in pixels, of the copy on which every measurement is taken

_CODES = np.arange(256) / 255
_LINEAR = srgb(_CODES).astype(np.float32)
_FLOOR = np.float32(_LINEAR[1] / 2)  # black counts as half a code, because the logarithm of 0 is infinite
_DENSITY = -np.log(np.maximum(_LINEAR, _FLOOR))
_RISING, _STEPS = _DENSITY[:0:-1].astype(np.float64), -np.diff(_DENSITY)[::-1].astype(np.float64)  # of codes from 1

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
CLIPPED = 250  #: at this code or above, a channel may be clipped


def working_copy(rgb: RGB) -> RGB:
    """``rgb`` (H, W, 3) with its long side at most 512 px, averaged by area; a smaller photo is returned unchanged."""
    return shrink(rgb, WORKING_SIDE)


def shrink(rgb: RGB, side: int) -> RGB:
    """``rgb`` (H, W, 3) averaged by area to a long side of ``side`` pixels; unchanged if it is not longer."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if width % size[0] == height % size[1] == 0:
        return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)  # whole pixels: fast
    averaged = average(rgb, *size[::-1])
    return np.asarray(np.rint(averaged, out=averaged), np.uint8)


def extremes(rgb: RGB) -> tuple[Bytes, Bytes]:
    """The least and the greatest of R, G and B in each pixel, (H, W) both."""
    red, green, blue = cv2.split(rgb)
    least, greatest = (over(over(red, green), blue) for over in (cv2.min, cv2.max))
    return np.asarray(least, np.uint8), np.asarray(greatest, np.uint8)


def srgb_to_linear(rgb: RGB) -> Floats:
    """sRGB codes of any shape as linear light, 0–1."""
    return _look_up(rgb, _LINEAR)


def optical_density(rgb: RGB) -> Floats:
    """The optical density, −ln of linear light, of sRGB codes of any shape. Black counts as half a code."""
    return _look_up(rgb, _DENSITY)


def median_density(rgb: RGB, mask: Mask) -> Doubles:
    """The median optical density (3,) of ``rgb`` (H, W, 3) in ``mask`` (H, W), which must not be empty."""
    return np.asarray(np.median(optical_density(rgb)[mask], axis=0), np.float64)


def code_step(density: Doubles) -> Doubles:
    """The difference in optical density between neighbouring sRGB codes, at each ``density`` of any shape."""
    return np.asarray(np.interp(density, _RISING, _STEPS), np.float64)


def _look_up(codes: RGB, table: Floats) -> Floats:
    """``table[codes]``, several times faster than with NumPy."""
    found = cv2.LUT(np.ascontiguousarray(codes).reshape(len(codes), -1), table)
    return np.asarray(found, np.float32).reshape(codes.shape)


def linear_to_lab(linear: Floats) -> Floats:
    """Linear sRGB (…, 3), 0–1, to CIELAB under D65 (…, 3); L* is 0–100. The memory of each plane is contiguous."""
    x, y, z = (_root(linear, weights) for weights in _TO_WHITE)
    lab = np.empty((3, *y.shape), np.float32)
    _lightness(y, out=lab[0])
    np.multiply(np.subtract(x, y, out=x), 500, out=lab[1])
    np.multiply(np.subtract(y, z, out=z), 200, out=lab[2])
    return np.moveaxis(lab, 0, -1)


def lightness(rgb: RGB) -> Floats:
    """L* (…), 0–100, of sRGB codes (…, 3)."""
    return _lightness(_root(srgb_to_linear(rgb), _TO_WHITE[1]))


def linear_to_lightness_and_b(linear: Floats, light: Floats | None = None) -> tuple[Floats, Floats]:
    """L* and b* (…) of linear sRGB (…, 3). With the colour of the ``light`` (3,), as by ``illuminant``, they are those
    after white balance, which keeps the luminance Y of grey."""
    to_white = _TO_WHITE if light is None else np.asarray(_TO_WHITE * (LUMA @ light / light), np.float32)
    y, z = (_root(linear, weights) for weights in to_white[1:])
    return _lightness(y), np.multiply(np.subtract(y, z, out=z), 200, out=z)


def _root(linear: Floats, weights: Floats) -> Floats:
    """CIE 15's function f, almost a cube root, of the weighted sum (…) of linear sRGB (…, 3)."""
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
    """The colour of the light (3,), of unit length, by shades of grey: e_c = (mean I_c^p)^(1/p) of linear light.

    The method and p = 6 are those of Finlayson and Trezzi (2004); p = 1 is grey-world, p → ∞ is white-patch. Pixels
    with a clipped channel are left out, as their colour is wrong. None if all pixels are clipped or a channel is black.
    """
    channels = cv2.split(rgb)
    unclipped = (cv2.max(cv2.max(*channels[:2]), channels[2]) < CLIPPED).view(np.uint8)
    pixels = cv2.countNonZero(unclipped)
    if not pixels:
        return None
    some = None if pixels == unclipped.size else unclipped
    powers = _LINEAR.astype(np.float64) ** _SHADES
    counts = [cv2.calcHist([channel], [0], some, [256], [0, 256]).ravel() for channel in channels]
    estimate = (np.array(counts, np.float64) @ powers / pixels) ** (1 / _SHADES)
    if estimate.min() <= 0:
        return None
    return np.asarray(estimate / np.linalg.norm(estimate), np.float32)

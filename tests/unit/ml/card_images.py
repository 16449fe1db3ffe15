"""A colour checker, a grey card, and the light that falls on them and on skin."""

from __future__ import annotations

import numpy as np

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.reference import PATCHES
from ml.values import RGB

GREY_18 = 118  # the sRGB code of 18% reflectance
#: the linear gains of R, G and B that a lamp of 2,856 K and an evening at half a stop less give, and of shade
LIGHTS = {"daylight": (1.0, 1.0, 1.0), "lamp": (1.25, 0.6, 0.16), "shade": (0.62, 0.7, 0.92)}


def with_checker(photo: RGB, left: int, top: int, width: int = 240, patches: RGB = PATCHES) -> RGB:
    """``photo`` with a checker, two thirds as high as ``width``, whose corner is at (left, top). ``patches``:
    its sRGB codes (24, 3)."""
    shown, height, margin = photo.copy(), width * 2 // 3, width // 20
    shown[top : top + height, left : left + width] = 18
    wide, high = (width - 2 * margin) / 6, (height - 2 * margin) / 4
    for number in range(24):
        row, column = divmod(number, 6)
        x, y = int(left + margin + (column + 0.07) * wide), int(top + margin + (row + 0.07) * high)
        shown[y : y + int(0.86 * high), x : x + int(0.86 * wide)] = patches[number]
    return shown


def with_card(photo: RGB, left: int, top: int, code: int = GREY_18) -> RGB:
    """``photo`` with an even grey card of 150 × 110 px."""
    shown = photo.copy()
    shown[top : top + 110, left : left + 150] = code
    return shown


def relit(photo: RGB, light: str, gain: float = 1.0, seed: int = 3) -> RGB:
    """``photo`` in another light and exposure, with noise."""
    gains = np.array(LIGHTS[light], np.float32) * np.float32(gain)
    noise = np.random.default_rng(seed).normal(0, 1.5, photo.shape)
    codes = linear_to_srgb(np.clip(srgb_to_linear(photo) * gains, 0, 1).astype(np.float32)) + noise
    return np.clip(np.rint(codes), 0, 255).astype(np.uint8)

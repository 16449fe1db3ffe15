"""Skin made by code: flat swatches, and patches with texture, sensor noise and shading, in all ten Monk tones."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.frame import Frame, Subject
from ml.skin.measure import measure_skin
from ml.values import RGB, Mask, Skin, Zone

MONK = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")
NEUTRAL = {"grey": (118, 118, 118), "blue": (40, 80, 160), "green": (60, 130, 90), "black": (4, 4, 4)}


def colour(hex_code: str) -> NDArray[np.uint8]:
    """An sRGB triple (3,) from six hex digits."""
    return np.frombuffer(bytes.fromhex(hex_code), np.uint8)


def flat(hex_code: str, height: int = 64, width: int = 64) -> RGB:
    return np.broadcast_to(colour(hex_code), (height, width, 3)).copy()


def skin_patch(hex_code: str, height: int = 384, width: int = 512, seed: int = 0) -> RGB:
    """Skin of one tone: the light falls off by a fifth across it, pores and sensor noise lie over it."""
    rng = np.random.default_rng(seed)
    light = np.linspace(1.0, 0.8, width, dtype=np.float32)[None, :, None]
    texture = rng.normal(0, 1, (height, width)).astype(np.float32)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.2)
    pores = (1 - 0.03 * np.abs(texture / texture.std()))[..., None]
    noisy = linear_to_srgb(srgb_to_linear(flat(hex_code, height, width)) * light * pores).astype(np.float32)
    noisy += rng.normal(0, 1.5, (height, width, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def flushed(photo: RGB, seed: int = 0) -> RGB:
    """``photo`` with more blood in some places than in others, as skin has it: two hues at least."""
    height, width = photo.shape[:2]
    blood = cv2.GaussianBlur(np.random.default_rng(seed + 2).normal(0, 1, (height, width)), (0, 0), height / 12)
    darker = np.array([0.02, 0.10, 0.08]) * (blood / blood.std())[..., None]
    return linear_to_srgb(srgb_to_linear(photo) * np.exp(-darker).astype(np.float32))


def disc(height: int = 384, width: int = 512, radius: float = 120.0) -> Mask:
    """A disc in the middle of a photo."""
    rows, columns = np.mgrid[:height, :width]
    return np.asarray(np.hypot(rows - height / 2, columns - width / 2) < radius, np.bool_)


def skin_on(background: tuple[int, int, int], hex_code: str, where: Mask, seed: int = 0) -> RGB:
    """A skin patch inside ``where``, an evenly coloured noisy background outside."""
    height, width = where.shape
    noise = np.random.default_rng(seed + 1).normal(0, 1.5, (height, width, 3))
    behind = np.clip(np.rint(np.array(background) + noise), 0, 255).astype(np.uint8)
    return np.where(where[..., None], skin_patch(hex_code, height, width, seed), behind)


def with_lesion(photo: RGB, where: Mask, factors: tuple[float, float, float] = (0.55, 0.35, 0.3)) -> RGB:
    """``photo`` with its linear R, G and B multiplied by ``factors`` inside ``where``."""
    linear = srgb_to_linear(photo)
    return np.where(where[..., None], linear_to_srgb(linear * np.array(factors, np.float32)), photo)


def skin_of(
    photo: RGB,
    zones: Sequence[Zone] | None = None,
    *,
    portrait: bool = False,
    width: int | None = None,
    pixels_per_mm: float | None = None,
    full: bool = True,
) -> Skin:
    """What is measured on a photo, which was sent ``width`` pixels wide."""
    frame = Frame(photo, width, pixels_per_mm=pixels_per_mm)
    return measure_skin(Subject(frame, zones, portrait=portrait), full=full)

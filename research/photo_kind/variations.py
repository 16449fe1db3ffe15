"""Random variations of a picture: crop, size, border, light and compression.

Without them, a head would learn to recognize the size, frame and compression of a collection.
"""

from __future__ import annotations

import cv2
import numpy as np

from ml.values import RGB

_Random = np.random.Generator


def vary(photo: RGB, random: _Random, *, round_field: float) -> RGB:
    """A random variation of ``photo`` (H, W, 3). ``round_field``: probability of a round, black-rimmed field."""
    photo = _turned(_cropped(photo, random), random)
    photo = _lit(photo, random)
    if random.random() < 0.12:
        photo = _without_colour(photo, random)
    if random.random() < round_field:
        photo = _in_round_field(photo, random)
    elif random.random() < 0.15:
        photo = _bordered(photo, random)
    return _compressed(_resized(photo, random), random)


def _cropped(photo: RGB, random: _Random) -> RGB:
    """Half of the pictures are not cropped. The others keep 55 to 95% of each side."""
    if random.random() < 0.5:
        return photo
    height, width = photo.shape[:2]
    rows, columns = (max(32, round(side * random.uniform(0.55, 0.95))) for side in (height, width))
    top, left = (int(random.integers(0, max(1, whole - kept))) for whole, kept in ((height, rows), (width, columns)))
    return photo[top : top + rows, left : left + columns]


def _turned(photo: RGB, random: _Random) -> RGB:
    if random.random() < 0.5:
        photo = photo[:, ::-1]
    if random.random() < 0.3:
        photo = np.rot90(photo, int(random.integers(1, 4)))
    return np.ascontiguousarray(photo)


def _lit(photo: RGB, random: _Random) -> RGB:
    """Change exposure (up to a factor of 1.5), contrast and light colour (up to 12% per channel); blur a quarter."""
    gains = 1.5 ** random.uniform(-1, 1) * random.uniform(0.88, 1.12, 3)
    gamma = random.uniform(0.85, 1.18)
    codes = np.arange(256) / 255
    table = np.stack([np.clip(codes**gamma * gain, 0, 1) for gain in gains], axis=-1)
    lit = cv2.LUT(photo, np.rint(table * 255).astype(np.uint8)[None])
    if random.random() < 0.25:
        lit = cv2.GaussianBlur(lit, (0, 0), random.uniform(0.5, 2.0))
    return np.asarray(lit, np.uint8)


def _without_colour(photo: RGB, random: _Random) -> RGB:
    """Convert to black and white, in half of the cases with a warm tint up to sepia."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    tint = random.uniform(0, 0.25) if random.random() < 0.5 else 0.0
    return np.asarray(np.rint(np.clip(grey * np.array([1 + tint / 2, 1, 1 - tint]), 0, 255)), np.uint8)


def _in_round_field(photo: RGB, random: _Random) -> RGB:
    height, width = photo.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    radius = round(min(height, width) * random.uniform(0.45, 0.62))
    cv2.circle(mask, (width // 2, height // 2), radius, 255, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), random.uniform(0.5, 6))[..., None] / 255
    return np.asarray(np.rint(photo * soft), np.uint8)


def _bordered(photo: RGB, random: _Random) -> RGB:
    """Add white, black or grey bars on one or both pairs of sides, as in a screenshot."""
    grey = int(random.choice((0, 255, 255, 128)))
    height, width = photo.shape[:2]
    down, across = round(height * random.uniform(0, 0.25)), round(width * random.uniform(0, 0.25))
    bars = (down, down, across, across)
    return np.asarray(cv2.copyMakeBorder(photo, *bars, cv2.BORDER_CONSTANT, value=(grey,) * 3), np.uint8)


def _resized(photo: RGB, random: _Random) -> RGB:
    """Resize to a longer side of 160 to 1,280 pixels, enlarging by 1.5 at most."""
    longest = max(photo.shape[:2])
    scale = min(1.5, 160 * 8 ** random.random() / longest)
    size = tuple(max(32, round(side * scale)) for side in (photo.shape[1], photo.shape[0]))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(photo, size, interpolation=way), np.uint8)


def _compressed(photo: RGB, random: _Random) -> RGB:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(40, 97))]
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(photo[..., ::-1]), quality)[1]
    return np.asarray(cv2.cvtColor(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB), np.uint8)

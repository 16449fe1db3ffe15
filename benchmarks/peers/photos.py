"""The photos that are sent: made here, the same on every machine, none of a person."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 1600, 1200
COUNT = 8


def write_photos(folder: Path) -> list[Path]:
    """COUNT JPEG files in ``folder``, made if they are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.jpg" for number in range(COUNT)]
    for seed, file in enumerate(files):
        if not file.exists():
            file.write_bytes(make_photo(seed))
    return files


def make_photo(seed: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """JPEG bytes: a field of one skin colour with shade, texture and a dark spot."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    middle = np.array([height, width]) * random.uniform(0.35, 0.65, 2)
    radius = min(width, height) * random.uniform(0.1, 0.25)
    spot = np.exp(-(((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2) / radius**2))
    shade = 1.0 - 0.15 * rows / height
    texture = random.normal(0.0, 6.0, (height, width, 1))
    colour = np.array([205.0, 160.0, 135.0]) * random.uniform(0.6, 1.1)
    skin = colour * shade[..., None] + texture - spot[..., None] * np.array([90.0, 95.0, 85.0])
    buffer = io.BytesIO()
    Image.fromarray(np.clip(skin, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()

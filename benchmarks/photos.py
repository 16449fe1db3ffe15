"""The photos that benchmarks send: made here, the same on every machine, none of a person.

``python -m benchmarks.photos FOLDER`` writes one large photo in every format that is accepted. It is a process of its
own, since Pillow's encoders take more memory than what is measured with the files.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

WIDTH, HEIGHT = 1600, 1200
COUNT = 8
#: just below what formats other than JPEG may have
MEGAPIXELS = 63.9
#: rows of noise, which are repeated down the photo
_NOISE_ROWS = 512

#: file name → format, mode and options
_FILES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "photo.jpg": ("JPEG", "RGB", {"quality": 88}),
    "progressive.jpg": ("JPEG", "RGB", {"quality": 88, "progressive": True}),
    "photo.png": ("PNG", "RGB", {"compress_level": 1}),
    "transparent.png": ("PNG", "RGBA", {"compress_level": 1}),
    "grey-16-bit.png": ("PNG", "I;16", {"compress_level": 1}),
    "photo.webp": ("WEBP", "RGB", {"method": 0}),
    "photo.tif": ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    "photo.bmp": ("BMP", "RGB", {}),
    "photo.gif": ("GIF", "P", {}),
    "photo.avif": ("AVIF", "RGB", {"speed": 10}),
    "photo.heic": ("HEIF", "RGB", {"quality": 50, "enc_params": {"preset": "ultrafast"}}),
}


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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megapixels", type=float, default=MEGAPIXELS)
    parser.add_argument("--only", nargs="*", choices=sorted(_FILES), default=sorted(_FILES))
    options = parser.parse_args(arguments)
    write_large_photos(options.folder, options.megapixels, options.only)
    return 0


def write_large_photos(folder: Path, megapixels: float, names: Sequence[str]) -> None:
    """4:3 photos of ``megapixels`` million pixels: soft patches of skin's colours under a camera's noise."""
    pillow_heif.register_heif_opener()
    photo = _large_photo(megapixels)
    for name in names:
        kind, mode, options = _FILES[name]
        _in_mode(photo, mode).save(folder / name, kind, **options)


def _large_photo(megapixels: float) -> Image.Image:
    height = int((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = int(megapixels * 1e6 / height)
    random = np.random.default_rng(0)
    patches = random.normal((200, 150, 125), 12, (96, 128, 3)).clip(0, 255).astype(np.uint8)
    pixels = np.array(Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC))
    noise = random.normal(0, 4, (_NOISE_ROWS, width, 1)).astype(np.int16)
    for top in range(0, height, _NOISE_ROWS):
        band = pixels[top : top + _NOISE_ROWS]
        band[:] = np.clip(band + noise[: len(band)], 0, 255)
    return Image.fromarray(pixels)


def _in_mode(photo: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * np.uint16(257))
    if mode == "RGBA":
        photo = photo.convert("RGBA")
        photo.putalpha(200)
    return photo.convert(mode)


if __name__ == "__main__":
    sys.exit(main())

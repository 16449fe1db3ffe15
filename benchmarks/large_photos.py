"""``python -m benchmarks.large_photos FOLDER``: one large made photo in every format that is accepted.

A process of its own, since Pillow's encoders take more memory than what is measured with the files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

MEGAPIXELS = 39.9

#: file name → format, mode and options
_FILES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "photo.jpg": ("JPEG", "RGB", {"quality": 88}),
    "progressive.jpg": ("JPEG", "RGB", {"quality": 88, "progressive": True}),
    "photo.png": ("PNG", "RGB", {"compress_level": 1}),
    "transparent.png": ("PNG", "RGBA", {"compress_level": 1}),
    "grey-16-bit.png": ("PNG", "I;16", {"compress_level": 1}),
    "photo.webp": ("WEBP", "RGB", {"method": 0}),
    "photo.tif": ("TIFF", "RGB", {}),
    "photo.bmp": ("BMP", "RGB", {}),
    "photo.gif": ("GIF", "P", {}),
    "photo.avif": ("AVIF", "RGB", {"speed": 10}),
    "photo.heic": ("HEIF", "RGB", {"quality": 50, "enc_params": {"preset": "ultrafast"}}),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megapixels", type=float, default=MEGAPIXELS)
    options = parser.parse_args(arguments)
    write_photos(options.folder, options.megapixels)
    return 0


def write_photos(folder: Path, megapixels: float) -> None:
    """4:3 photos of ``megapixels`` million pixels: soft patches of skin's colours."""
    pillow_heif.register_heif_opener()
    height = int((megapixels * 1e6 * 3 / 4) ** 0.5)
    width = int(megapixels * 1e6 / height)
    patches = np.random.default_rng(0).normal((200, 150, 125), 12, (96, 128, 3)).clip(0, 255).astype(np.uint8)
    photo = Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)
    for name, (kind, mode, options) in _FILES.items():
        _in_mode(photo, mode).save(folder / name, kind, **options)


def _in_mode(photo: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * np.uint16(257))
    if mode == "RGBA":
        photo = photo.convert("RGBA")
        photo.putalpha(200)
    return photo.convert(mode)


if __name__ == "__main__":
    sys.exit(main())

"""Every pixel mode that the decoder can meet → plain 8-bit RGB."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: what shows through transparent pixels
_BACKGROUND = (255, 255, 255, 255)


def to_rgb(image: Image.Image, bits: int = 16) -> Image.Image:
    """``image`` as mode RGB: alpha over white, palettes looked up, deep greys scaled down from ``bits``."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_deep(image, bits).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, _BACKGROUND), rgba).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image, bits: int) -> Image.Image:
    """Integer samples keep their own scale (``bits``); floats are stretched, since they state none."""
    samples = np.asarray(image, dtype=np.float64)
    samples = np.nan_to_num(samples, posinf=0.0, neginf=0.0)
    if image.mode == "F":
        low, high = float(samples.min()), float(samples.max())
        scaled = (samples - low) / (high - low or 1.0)
    else:
        scaled = samples / (2.0 ** min(bits, 16) - 1.0)
    return Image.fromarray(np.rint(np.clip(scaled, 0.0, 1.0) * 255.0).astype(np.uint8))

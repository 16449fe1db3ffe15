"""Photos made by code, of a wanted size."""

from __future__ import annotations

import io

_MEGABYTE = 10**6


def skin_photo(side: int = 512, quality: int = 85, seed: int = 0) -> bytes:
    """A JPEG of ``side`` × ``side`` pixels: skin-coloured, finely grained, with a darker spot."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    spot = np.clip(1.2 - 6 * np.hypot(x, y), 0, 1)[..., None]
    skin = np.array([214, 160, 136]) * (1 - 0.5 * spot) + rng.normal(0, 18, (side, side, 3))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(skin, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def photo_of(megabytes: float) -> bytes:
    """A JPEG that is at least so large: a 2000 × 2000 photo, and a text segment after its end if that is not enough."""
    photo = skin_photo(2000, quality=95)
    return photo + bytes(max(0, round(megabytes * _MEGABYTE) - len(photo)))

"""Small pictures of the indexed photos."""

from __future__ import annotations

import io

from PIL import Image

from ml.values import RGB

SIDE = 160


def thumbnail(rgb: RGB) -> bytes:
    """A WebP of at most SIDE pixels on its longest side, without metadata."""
    image = Image.fromarray(rgb)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=75, method=4)
    return buffer.getvalue()

"""Small pictures of the indexed photos."""

from __future__ import annotations

import io

from PIL import Image

from ml.skin.colour import shrink
from ml.values import RGB

SIDE = 160
#: of WebP's efforts 0–6: a quarter of the time of the usual 4, for pictures that are a fifth larger
_EFFORT = 0


def thumbnail(rgb: RGB) -> bytes:
    """A WebP of at most SIDE pixels on its longest side, averaged by area, without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(shrink(rgb, SIDE)).save(buffer, "WEBP", quality=75, method=_EFFORT)
    return buffer.getvalue()

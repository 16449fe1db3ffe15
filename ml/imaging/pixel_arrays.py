"""WebP and HEIF → arrays. Pillow would hold these pixels two to four times at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import ImageFile

#: what arrays of one, three and four channels stand for
ARRAY_MODES = ("L", "RGB", "RGBA")
#: rows whose channels are put in order at once
_BAND = 256


def webp_pixels(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8]:
    """The still WebP ``image`` of ``data``: (height, width, 3 or 4), RGB or RGBA.

    Raises:
        OSError: the data is damaged.
    """
    # Pillow takes a still WebP for an animation of one frame, and holds four copies of it at its peak.
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[1::-1] != image.size:
        raise OSError("the WebP data is damaged")
    order = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    for top in range(0, len(pixels), _BAND):  # at once it would take a second copy
        pixels[top : top + _BAND] = cv2.cvtColor(pixels[top : top + _BAND], order)
    return np.asarray(pixels, np.uint8)


def heif_pixels(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8]:
    """The primary picture of a HEIF, which ``image`` is: (height, width) or (height, width, 3 or 4); grey, RGB or RGBA.

    Raises:
        ValueError, EOFError, RuntimeError: the data is damaged.
    """
    picture = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8 or pixels.shape[1::-1] != image.size:
        raise ValueError(f"{pixels.dtype} of shape {pixels.shape} is not what the header states")
    return pixels


#: format → what decodes a still picture of it
ARRAYS: Mapping[str, Callable[[ImageFile.ImageFile, bytes], NDArray[np.uint8]]] = {
    "WEBP": webp_pixels,
    "HEIF": heif_pixels,
}

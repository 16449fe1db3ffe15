"""Large photos → at most a working size, without a second copy of all their pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: rows of a photo, about, that are converted at once
_BAND = 256


def shrink(image: Image.Image, side: int) -> Image.Image:
    """``image`` reduced by a whole factor (a box filter) so that it still covers ``side``, then resized to it.

    Palettes and bits are looked up, and 16-bit greys become mode "I", where there is anything to do at all.
    """
    longest = max(image.size)
    if longest <= side:
        return image
    reduced = _reduce(image, longest // side)
    reduced.thumbnail((side, side), Image.Resampling.BOX)
    reduced.info = dict(image.info)
    return reduced


def shrink_array(pixels: NDArray[np.uint8], side: int) -> Image.Image:
    """As ``shrink``, of ``pixels`` (height, width) or (height, width, 3 or 4): they never become an image in full."""
    height, width = pixels.shape[:2]
    factor = max(height, width) // side
    if factor <= 1:
        return shrink(Image.fromarray(pixels), side)
    step = _step(factor)
    bands = [Image.fromarray(pixels[top : top + step]).reduce(factor) for top in range(0, height, step)]
    reduced = Image.new(bands[0].mode, (bands[0].width, -(-height // factor)))
    for number, band in enumerate(bands):
        reduced.paste(band, (0, number * step // factor))
    reduced.thumbnail((side, side), Image.Resampling.BOX)
    return reduced


def _reduce(image: Image.Image, factor: int) -> Image.Image:
    """``image.reduce(factor)``, band by band where Pillow would convert all of it first."""
    mode = _averaged_mode(image)
    if mode == image.mode and mode not in ("RGBA", "LA"):
        return image.reduce(factor) if factor > 1 else image
    size = (-(-image.width // factor), -(-image.height // factor))
    reduced = Image.new(mode, size)
    for top, band in _bands(image, factor):
        reduced.paste(band.convert(mode).reduce(factor), (0, top // factor))
    return reduced


def _bands(image: Image.Image, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """Rows of ``image`` with the first one's number: as many as ``factor`` goes into."""
    step = _step(factor)
    for top in range(0, image.height, step):
        yield top, image.crop((0, top, image.width, min(top + step, image.height)))


def _step(factor: int) -> int:
    """Rows of a band: about _BAND, and a multiple of ``factor``."""
    return max(1, _BAND // factor) * factor


def _averaged_mode(image: Image.Image) -> str:
    """The mode in which pixels of ``image`` can be averaged."""
    if image.mode in ("P", "PA"):
        return "RGBA" if image.has_transparency_data else "RGB"
    if image.mode == "1":
        return "L"
    return "I" if image.mode.startswith("I;") else image.mode

"""How large a photo may be, and how many large ones a process decodes at once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from PIL import Image, ImageFile

from ml.errors import ImageTooLargeError, ImageTooSmallError

#: a JPEG is reduced while it is decoded, so that its pixels take no memory: phones make them of 200 megapixels
MAX_JPEG_PIXELS = 220_000_000
#: other formats are decoded in full
MAX_OTHER_PIXELS = 64_000_000
MIN_SIDE = 32
#: decoding that takes more is done for one photo at a time
_MUCH_MEMORY = 100_000_000
_TURN = threading.Lock()

# Pillow only warns between one and two times its limit: here every excess is an error.
Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
#: what Pillow raises beyond MAX_JPEG_PIXELS
BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def check_size(image: ImageFile.ImageFile, max_pixels: int) -> None:
    """Raises ImageTooLargeError or ImageTooSmallError by the header of ``image``."""
    width, height = image.size
    limit = min(max_pixels, MAX_JPEG_PIXELS if is_jpeg(image) else MAX_OTHER_PIXELS)
    if width * height > limit:
        raise too_large(max_pixels, limit)
    if min(width, height) < MIN_SIDE:
        raise ImageTooSmallError(
            f"The image is {width} × {height} pixels; each side must have at least {MIN_SIDE}. Send a larger photo.",
            width=width,
            height=height,
            min_side=MIN_SIDE,
        )


def too_large(max_pixels: int = MAX_JPEG_PIXELS, limit: int = MAX_JPEG_PIXELS) -> ImageTooLargeError:
    """For an image of a format that may have ``limit`` pixels."""
    advice = "Send a smaller copy." if limit == max_pixels else "Send a JPEG or a smaller copy."
    jpeg, other = (f"{min(max_pixels, most) / 1e6:g} million" for most in (MAX_JPEG_PIXELS, MAX_OTHER_PIXELS))
    most = f"at most {jpeg} pixels" + ("" if jpeg == other else f" as a JPEG, {other} in any other format")
    return ImageTooLargeError(f"The image has too many pixels: it may have {most}. {advice}", max_pixels=limit)


def is_jpeg(image: ImageFile.ImageFile) -> bool:
    """MPO, several JPEGs in one file, included."""
    return image.format in ("JPEG", "MPO")


@contextmanager
def in_turn(memory: int) -> Iterator[None]:
    """One photo at a time where decoding takes much memory: threads of one process share what it may take."""
    with _TURN if memory > _MUCH_MEMORY else nullcontext():
        yield

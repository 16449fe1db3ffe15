"""The limits of decoding one photo: pixels, memory and reads."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from PIL import Image

from ml.errors import ImageTooLargeError, ImageTooSmallError

#: A JPEG is reduced while it is decoded, so its pixels take little memory; phones make JPEGs of 200 megapixels.
MAX_JPEG_PIXELS = 220_000_000
#: Other formats are decoded in full.
MAX_OTHER_PIXELS = 64_000_000
MIN_SIDE = 32
#: bytes; photos that need more are decoded one at a time
_MUCH_MEMORY = 100_000_000
_TURN = threading.Lock()
#: A valid file of 100 MB needs a tenth of these reads. Pillow searches for the next marker of a JPEG or block of a GIF
#: byte by byte, in Python. Without a limit, an invalid file keeps it busy for minutes.
MOST_READS = 500_000

# Between one and two times its limit Pillow only warns. Here that is an error too.
Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
#: what Pillow raises beyond MAX_JPEG_PIXELS
BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def check_size(size: tuple[int, int], max_pixels: int, *, jpeg: bool) -> None:
    """Check the ``size`` (width, height) that a header states. Raises ImageTooLargeError or ImageTooSmallError."""
    width, height = size
    limit = min(max_pixels, MAX_JPEG_PIXELS if jpeg else MAX_OTHER_PIXELS)
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
    """The error for an image whose format allows ``limit`` pixels. ``max_pixels`` is the limit for all formats."""
    advice = "Send a smaller copy." if limit == max_pixels else "Send a JPEG or a smaller copy."
    jpeg, other = (f"{min(max_pixels, most) / 1e6:g} million" for most in (MAX_JPEG_PIXELS, MAX_OTHER_PIXELS))
    most = f"at most {jpeg} pixels" + ("" if jpeg == other else f" as a JPEG, {other} in any other format")
    return ImageTooLargeError(f"The image has too many pixels: it may have {most}. {advice}", max_pixels=limit)


@contextmanager
def in_turn(memory: int) -> Iterator[None]:
    """Decode photos that need much ``memory`` (bytes) one at a time in this process. Others do not wait."""
    with _TURN if memory > _MUCH_MEMORY else nullcontext():
        yield


class BoundedReads(io.BytesIO):
    """A file in memory that can be read ``most`` times; the next read raises OSError."""

    def __init__(self, data: bytes, most: int = MOST_READS) -> None:
        super().__init__(data)
        self._left = most

    def read(self, size: int | None = -1, /) -> bytes:
        """As in BytesIO, while reads are left."""
        self._left -= 1
        if self._left < 0:
            raise OSError("the decoder needs too many reads")
        return super().read(size)

"""JPEG → pixels, with what the decoder warns about. Pillow hides the warnings of libjpeg; simplejpeg stops at them."""

from __future__ import annotations

import re

import numpy as np
import simplejpeg
from PIL import Image, ImageFile

from ml.errors import DamagedImageError, ImageTooLargeError
from ml.imaging.jpeg_layout import read_layout
from ml.values import Problem

#: a photo that lost a larger share is refused: 2 % is a narrow strip at the edge
MOST_LOST = 0.02
#: A progressive JPEG is held whole, as coefficients: this many bytes of them and of the file (108 megapixels with
#: halved chroma) let a worker that holds 350 MiB grow to less than 700 (python -m benchmarks.large_photos).
MOST_MEMORY = 340_000_000
#: Encoders write 6 to 14. Each one takes time for all of the photo, even if it holds a few bytes.
_MOST_SCANS = 24
#: bytes before a marker that may be padding
_MOST_PADDING = 8
#: rows of a block at the photo's full size, where chroma has half the size
_BLOCK_ROWS = 16
#: this many line feeds, each after a carriage return, do not occur by chance in compressed data
_LINE_ENDS = 8
_COLOURS = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_LOSSES = ("Corrupt JPEG data", "Premature end of JPEG file", "Inconsistent progression", "Corrupt arithmetic")
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes")
_DAMAGED = Problem(
    "damaged",
    "The file is slightly damaged: a small part of the photo may be missing or wrong.",
    "Send the original file.",
)


def jpeg_memory(image: ImageFile.ImageFile, data: bytes) -> int:
    """Bytes that decoding takes beside the reduced pixels: 0 unless the JPEG is progressive or in several scans.

    Raises:
        ImageTooLargeError: more than MOST_MEMORY, with the file itself.
        DamagedImageError: more scans than any encoder writes.
    """
    layout = read_layout(data)
    if layout.scans > _MOST_SCANS:
        raise DamagedImageError("The image is damaged: it has too many scans. Send the original file.")
    if layout.coefficient_bytes + len(data) > MOST_MEMORY and layout.coefficient_bytes:
        bytes_of_a_pixel = layout.coefficient_bytes / (image.width * image.height)
        raise ImageTooLargeError(
            "This progressive JPEG is too large. Save it as a baseline JPEG (not progressive), or send a smaller copy.",
            max_pixels=max(0, int((MOST_MEMORY - len(data)) / bytes_of_a_pixel)),
        )
    return layout.coefficient_bytes


def jpeg_pixels(image: ImageFile.ImageFile, data: bytes) -> tuple[Image.Image, tuple[Problem, ...]]:
    """The pixels of ``image``, in the size that its draft set, and the slight damage that was found.

    Raises:
        OSError: more than MOST_LOST of the photo is lost, or the data cannot be decoded.
    """
    if data.count(b"\n") >= _LINE_ENDS and data.count(b"\n") == data.count(b"\r\n"):
        raise OSError("the file was transferred as text")
    width, height = image.size
    try:
        pixels = simplejpeg.decode_jpeg(
            data, colorspace=_COLOURS[image.mode], min_height=height, min_width=width, strict=True
        )
    except (ValueError, KeyError) as error:
        image.load()
        return image, _damage(str(error), image, len(data))
    if image.mode == "CMYK" or pixels.shape[:2] != (height, width):
        image.load()  # Pillow knows which files store inverted inks
        return image, ()
    photo = Image.fromarray(np.squeeze(pixels, 2) if image.mode == "L" else pixels)
    photo.info = dict(image.info)
    return photo, ()


def _damage(warning: str, image: Image.Image, size: int) -> tuple[Problem, ...]:
    """What ``warning`` means for ``image``, whose file has ``size`` bytes."""
    if not any(loss in warning for loss in _LOSSES):
        return ()
    extraneous = _EXTRANEOUS.search(warning)
    if extraneous:
        # Bytes left over when all blocks were decoded: what came before them was read wrongly, unless they are few.
        if int(extraneous[1]) > _MOST_PADDING:
            raise OSError(warning)
        return (_DAMAGED,)
    # After a premature end libjpeg fills the rest with one colour. After corrupted data the rest is rubbish.
    if "remature end" not in warning or not 0 < _filled_share(image) <= MOST_LOST:
        raise OSError(warning)
    return (_DAMAGED,)


def _filled_share(image: Image.Image) -> float:
    """The share of ``image`` at its end that holds one colour: whole rows, and the end of the last row of blocks."""
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    below = (pixels == pixels[:, :1]).all(axis=(1, 2))[::-1]
    rows = len(below) if below.all() else int(np.argmin(below))
    if rows:
        return rows / image.height
    ending = (pixels[-1] == pixels[-1, -1]).all(axis=1)[::-1]
    run = int(np.argmin(ending))
    # A shorter run is chance: then nobody knows where the loss lies.
    return 0.0 if run < _BLOCK_ROWS else run / image.width * _BLOCK_ROWS / image.height

"""JPEG → pixels, with what the decoder warns about. Pillow hides the warnings of libjpeg; simplejpeg stops at them."""

from __future__ import annotations

import io
import re

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile

from ml.errors import DamagedImageError, ImageTooLargeError
from ml.imaging.damage import SLIGHTLY_DAMAGED, Decoded, has_hole, slight
from ml.imaging.jpeg_layout import JpegLayout, read_layout

#: A progressive JPEG is held whole, as coefficients: this many bytes of them and of the file (95 megapixels with
#: halved chroma) let a worker that holds 360 MiB grow to less than 700 (python -m benchmarks.memory large).
MOST_MEMORY = 300_000_000
#: Encoders write 6 to 14. Each one takes time for all of the photo, even if it holds a few bytes.
_MOST_SCANS = 24
#: bytes before a marker that may be padding
_MOST_PADDING = 8
#: rows of a block at the photo's full size, and of a unit of blocks where chroma has half the size
_BLOCK_ROWS, _UNIT_ROWS = 8, 16
#: Codes of 255 that lightness jumps between two rows of blocks, beyond what it changes within them, in half of the
#: row: of 226 whole photos one jumps more somewhere, of those that lost 100 bytes in the middle nine in ten do.
_SEAM = 12.0
_SEAM_PARTS = 2
#: equal bytes in a row that no baseline scan has, which libjpeg warns about
_HOLE = 32
_COLOURS = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_LOSSES = ("Corrupt JPEG data", "Premature end of JPEG file", "Inconsistent progression", "Corrupt arithmetic")
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes")
_END = b"\xff\xd9"


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


def decode_jpeg(image: ImageFile.ImageFile, data: bytes) -> Decoded:
    """The pixels of ``image``, in the size that its draft set, and the slight damage that was found.

    Rows that are missing at the end are cut off: what libjpeg fills them with is not skin.

    Raises:
        OSError: more than MOST_LOST of the photo is lost, or the data cannot be decoded.
    """
    try:
        pixels = _strictly(image, data)
    except (ValueError, KeyError) as error:
        return _despite(str(error), image, data)
    if image.mode == "CMYK" or pixels.shape[:2] != (image.height, image.width):
        image.load()  # Pillow knows which files store inverted inks
        return Decoded(image)
    photo = Image.fromarray(np.squeeze(pixels, 2) if image.mode == "L" else pixels)
    photo.info = dict(image.info)
    return Decoded(photo)


def _strictly(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8]:
    """Raises ValueError at a warning of libjpeg, KeyError for colours that simplejpeg does not know."""
    colours, height, width = _COLOURS[image.mode], image.height, image.width
    pixels = simplejpeg.decode_jpeg(data, colorspace=colours, min_height=height, min_width=width, strict=True)
    return np.asarray(pixels, np.uint8)


def _despite(warning: str, image: ImageFile.ImageFile, data: bytes) -> Decoded:
    """The pixels of ``image``, of which libjpeg says ``warning``, and what that means for them."""
    if not any(loss in warning for loss in _LOSSES):
        image.load()
        return Decoded(image)
    layout = read_layout(data)
    extraneous = _EXTRANEOUS.search(warning)
    if extraneous:
        # Bytes left over when all blocks were decoded: what came before them was read wrongly, unless they are few.
        if int(extraneous[1]) > _MOST_PADDING:
            raise OSError(warning)
        image.load()
        return Decoded(image, (SLIGHTLY_DAMAGED,))
    # After corrupted data the rest is rubbish. A progressive photo that ends early may be coarse all over.
    if "remature end" not in warning or layout.in_passes or has_hole(data[layout.coded : layout.end], _HOLE):
        raise OSError(warning)
    if layout.cut and _is_whole(image, data + _END):
        return Decoded(_ended(image, data), (SLIGHTLY_DAMAGED,))
    return _without_the_end(image, data, layout)


def _without_the_end(image: ImageFile.ImageFile, data: bytes, layout: JpegLayout) -> Decoded:
    """A baseline photo that ends early, as far as it goes. libjpeg fills the rest with one colour."""
    if layout.cut:
        image = _ended(image, data)
    else:
        image.load()
    factor = max(1, round(layout.height / image.height))
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    rows, lost = _filled(pixels, max(1, _UNIT_ROWS // factor))
    kept = image.height - rows
    # A file that is not cut may have lost its bytes anywhere.
    if not layout.cut and (not lost or _has_seam(pixels[:kept], _BLOCK_ROWS // factor)):
        raise OSError("nobody knows where the loss lies")
    problems = slight(max(lost, (_UNIT_ROWS // factor) ** 2 / (image.width * image.height)))
    photo = image.crop((0, 0, image.width, kept))
    photo.info = dict(image.info)
    return Decoded(photo, problems, kept / image.height)


def _ended(image: ImageFile.ImageFile, data: bytes) -> ImageFile.ImageFile:
    """``image`` with an end marker, without which Pillow does not give out its pixels."""
    ended = Image.open(io.BytesIO(data + _END), formats=("JPEG",))
    ended.draft(None, image.size)
    ended.load()
    return ended


def _is_whole(image: ImageFile.ImageFile, data: bytes) -> bool:
    try:
        return _strictly(image, data).size > 0
    except (ValueError, KeyError):
        return False


def _filled(pixels: NDArray[np.uint8], unit: int) -> tuple[int, float]:
    """Rows at the end of ``pixels`` that are not the photo's, whole rows of blocks, and the share that is seen to be
    filled with one colour. ``unit`` is the height of a row of blocks. (unit, 0.0) where less is filled than is sure.
    """
    height, width = pixels.shape[:2]
    below = (pixels == pixels[:, :1]).all(axis=(1, 2))[::-1]
    whole = height if below.all() else int(np.argmin(below))
    if whole:
        return min(height, whole + unit), whole / height
    ending = (pixels[-1] == pixels[-1, -1]).all(axis=1)[::-1]
    run = int(np.argmin(ending))
    return min(height, unit), run / width * unit / height if run >= unit else 0.0


def _has_seam(pixels: NDArray[np.uint8], block: int) -> bool:
    """Whether the photo jumps between two rows of blocks: what follows missing bytes is displaced and of another
    lightness. True too where blocks are too small to tell."""
    if block < _BLOCK_ROWS // 2:
        return True
    light = pixels.mean(axis=2, dtype=np.float32)
    rows = np.arange(block, len(light) - 1, block)
    if not len(rows):
        return False
    across = np.abs(light[rows] - light[rows - 1])
    within = (np.abs(light[rows - 1] - light[rows - 2]) + np.abs(light[rows + 1] - light[rows])) / 2
    parts = np.array_split(across - within, _SEAM_PARTS, axis=1)
    return max(float(part.mean(axis=1).max()) for part in parts) > _SEAM

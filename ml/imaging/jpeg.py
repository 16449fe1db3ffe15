"""Decodes JPEG and checks libjpeg's warnings. Pillow hides these warnings; simplejpeg raises them.

The markers (ITU-T T.81, annex B) are read first, without decoding, to know how much memory and time decoding needs.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from math import ceil

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from ml.errors import DamagedImageError, ImageTooLargeError
from ml.imaging.integrity import SLIGHTLY_DAMAGED, Decoded, has_hole

#: A JPEG is decoded at 1/2, 1/4 or 1/8 of its size if its longest side then has at least so many pixels. So a phone's
#: 4000 or 4032 pixels are halved by the decoder, in a fifth of the time of decoding and averaging all of them.
LEAST_SIDE = 1800
#: bytes of a progressive JPEG's coefficients, which libjpeg holds all at once, and its file. That is 95 megapixels with
#: halved chroma. A worker of 360 MiB then grows to less than 700 (python -m benchmarks.memory large).
_MOST_MEMORY = 300_000_000
#: Encoders write 6 to 14 scans. Each scan takes time for the whole photo, even if it has only a few bytes.
_MOST_SCANS = 24
#: a file with more segments is not a JPEG that an encoder wrote
_MOST_SEGMENTS = 10_000
#: In the coded data of a scan, 0xFF is followed by 0 or is part of a restart marker. Marker 1 has no content.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_BLOCK, _BYTES_OF_A_COEFFICIENT = 8, 2
#: a photo that lost a larger share is refused; 2% is a narrow strip at the edge
_MOST_LOST = 0.02
#: rows of a coded unit (MCU) if chroma is halved
_UNIT_ROWS = 16
#: bytes before a marker that are accepted as padding
_MOST_PADDING = 8
#: The lightness step (codes, 0–255) between two rows of blocks, less the step within them, averaged over half of the
#: row. It is larger in 1 of 226 undamaged photos, and in 90% of those that lost 100 bytes in the middle.
_SEAM = 12.0
_SEAM_PARTS = 2
#: so many equal bytes in a row do not occur in a baseline scan
_HOLE = 32
_COLOURS = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_LOSSES = ("Corrupt JPEG data", "Premature end of JPEG file", "Inconsistent progression", "Corrupt arithmetic")
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes")
_END = b"\xff\xd9"


@dataclass(frozen=True)
class Layout:
    """The structure of a JPEG's first picture, from its markers.

    ``width``, ``height``: pixels. ``scans``: their number. ``coefficient_bytes``: the memory that libjpeg needs to hold
    all coefficients, if the picture is progressive or its channels come in separate scans; otherwise 0. ``coded``,
    ``end``: the offsets where the scans start and end. ``cut``: the data end within a scan, without a marker.
    """

    width: int
    height: int
    scans: int
    coefficient_bytes: int
    coded: int
    end: int
    cut: bool


def read_layout(image: JpegImageFile, data: bytes) -> Layout:
    """The layout of ``image``, which was opened from ``data``. It ends where the markers cannot be followed."""
    at, in_scan, cut = 2, False, False
    scans = coded = colours_of_first_scan = 0
    for _ in range(_MOST_SEGMENTS):
        found = _NEXT_MARKER.search(data, at)
        if found is None:
            at, cut = len(data), in_scan
            break
        marker, at = data[found.end() - 1], found.end()
        if marker == _END_OF_IMAGE:
            break
        in_scan = marker == _START_OF_SCAN
        length, colours = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 3], "big")
        if in_scan and not scans:
            coded, colours_of_first_scan = at + length, colours
        scans += in_scan
        at += length
    in_passes = "progressive" in image.info or (scans > 0 and colours_of_first_scan < image.layers)
    return Layout(*image.size, scans, _coefficient_bytes(image) if in_passes else 0, coded, at, cut)


def _coefficient_bytes(image: JpegImageFile) -> int:
    """The memory of all coefficients in bytes. libjpeg rounds each side up to whole units."""
    factors = [(across, down) for _, across, down, _ in image.layer] or [(1, 1)]
    most_across, most_down = (max(sizes) or 1 for sizes in zip(*factors, strict=True))
    units = ceil(image.width / (most_across * _BLOCK)) * ceil(image.height / (most_down * _BLOCK))
    return units * sum(across * down for across, down in factors) * _BLOCK * _BLOCK * _BYTES_OF_A_COEFFICIENT


def check_cost(layout: Layout, data: bytes) -> None:
    """Check that decoding ``data`` does not need too much memory or time.

    Raises:
        ImageTooLargeError: the coefficients and the file need more than _MOST_MEMORY bytes.
        DamagedImageError: the file has more than _MOST_SCANS scans.
    """
    if layout.scans > _MOST_SCANS:
        raise DamagedImageError("The image is damaged: it has too many scans. Send the original file.")
    if layout.coefficient_bytes and layout.coefficient_bytes + len(data) > _MOST_MEMORY:
        bytes_of_a_pixel = layout.coefficient_bytes / (layout.width * layout.height)
        raise ImageTooLargeError(
            "This progressive JPEG is too large. Save it as a baseline JPEG (not progressive), or send a smaller copy.",
            max_pixels=max(0, int((_MOST_MEMORY - len(data)) / bytes_of_a_pixel)),
        )


def decode_jpeg(image: ImageFile.ImageFile, data: bytes, layout: Layout) -> Decoded:
    """The pixels of ``image`` and the slight damage that was found.

    A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, with at least LEAST_SIDE pixels on its longest side. Rows
    that are missing at the end are cut off, because libjpeg fills them with a colour that is not skin.

    Raises:
        OSError: more than _MOST_LOST of the photo is lost, or the data cannot be decoded.
    """
    scale = LEAST_SIDE / max(image.size)
    image.draft(None, (max(1, ceil(image.width * scale)), max(1, ceil(image.height * scale))))
    try:
        pixels = _decode_strictly(image, data)
    except (ValueError, KeyError) as error:
        return _decode_despite_warning(str(error), image, data, layout)
    if image.mode == "CMYK" or pixels.shape[:2] != (image.height, image.width):
        image.load()  # Pillow knows which files store inverted inks
        return Decoded(image)
    return Decoded(Image.fromarray(np.squeeze(pixels, 2) if image.mode == "L" else pixels))


def _decode_strictly(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8]:
    """The pixels (height, width, channels). Raises ValueError at a warning of libjpeg, and KeyError for colour modes
    that simplejpeg does not support."""
    colours, height, width = _COLOURS[image.mode], image.height, image.width
    pixels = simplejpeg.decode_jpeg(data, colorspace=colours, min_height=height, min_width=width, strict=True)
    return np.asarray(pixels, np.uint8)


def _decode_despite_warning(warning: str, image: ImageFile.ImageFile, data: bytes, layout: Layout) -> Decoded:
    """The pixels of ``image`` after a ``warning`` of libjpeg, and the damage that the warning means. Raises OSError."""
    if not any(loss in warning for loss in _LOSSES):
        image.load()
        return Decoded(image)
    extraneous = _EXTRANEOUS.search(warning)
    if extraneous:
        # Bytes are left after the last block. Unless they are few, some blocks before them were decoded wrongly.
        if int(extraneous[1]) > _MOST_PADDING:
            raise OSError(warning)
        image.load()
        return Decoded(image, (SLIGHTLY_DAMAGED,))
    # After corrupt data all pixels are wrong. A progressive photo that ends early may be coarse everywhere.
    ends_early = "remature end" in warning and not layout.coefficient_bytes
    if not ends_early or has_hole(data[layout.coded : layout.end], _HOLE):
        raise OSError(warning)
    if layout.cut and _is_whole(image, data + _END):
        return Decoded(_with_end_marker(image, data), (SLIGHTLY_DAMAGED,))
    return _without_filled_rows(image, data, layout)


def _without_filled_rows(image: ImageFile.ImageFile, data: bytes, layout: Layout) -> Decoded:
    """A baseline photo that ends early, without the rows that libjpeg filled with one colour. Raises OSError."""
    if layout.cut:
        image = _with_end_marker(image, data)
    factor = max(1, round(layout.height / image.height))
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    rows, lost = _filled_rows(pixels, max(1, _UNIT_ROWS // factor))
    kept = image.height - rows
    # If the file has its end marker, the lost bytes may have been anywhere.
    if not layout.cut and (not lost or _has_seam(pixels[:kept], _BLOCK // factor)):
        raise OSError("data are lost at an unknown place")
    lost = max(lost, (_UNIT_ROWS // factor) ** 2 / (image.width * image.height))  # at least one unit
    if lost > _MOST_LOST:
        raise OSError(f"{lost:.0%} of the photo is lost")
    return Decoded(image.crop((0, 0, image.width, kept)), (SLIGHTLY_DAMAGED,), kept / image.height)


def _with_end_marker(image: ImageFile.ImageFile, data: bytes) -> ImageFile.ImageFile:
    """``image`` with an end marker added. Pillow does not return the pixels of a file without one."""
    ended = Image.open(io.BytesIO(data + _END), formats=("JPEG",))
    ended.draft(None, image.size)
    ended.load()
    return ended


def _is_whole(image: ImageFile.ImageFile, data: bytes) -> bool:
    try:
        return _decode_strictly(image, data).size > 0
    except (ValueError, KeyError):
        return False


def _filled_rows(pixels: NDArray[np.uint8], unit: int) -> tuple[int, float]:
    """How many rows at the end of ``pixels`` (H, W, C) to cut off, in whole units, and the share of ``pixels`` that is
    filled with one colour. ``unit`` is the height of a unit in rows. (unit, 0.0) if no fill is recognised.
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
    """Whether the lightness of ``pixels`` (H, W, C) jumps between two rows of blocks. After missing bytes, the photo
    continues displaced and with another lightness. True also if ``block`` is too small (in rows) to see it."""
    if block < _BLOCK // 2:
        return True
    light = pixels.mean(axis=2, dtype=np.float32)
    rows = np.arange(block, len(light) - 1, block)
    if not len(rows):
        return False
    across = np.abs(light[rows] - light[rows - 1])
    within = (np.abs(light[rows - 1] - light[rows - 2]) + np.abs(light[rows + 1] - light[rows])) / 2
    parts = np.array_split(across - within, _SEAM_PARTS, axis=1)
    return max(float(part.mean(axis=1).max()) for part in parts) > _SEAM

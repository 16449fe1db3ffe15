"""JPEG → pixels, with the warnings of libjpeg: Pillow hides them, simplejpeg stops at them.

The markers (ITU-T T.81, annex B) are read first, without decoding: they say what decoding will cost.
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

#: A JPEG whose half, quarter or eighth is at least this long is decoded to that size. A phone's 4000 or 4032 pixels are
#: then halved while they are decoded, in a fifth of the time that decoding and averaging all of them takes.
_LEAST_SIDE = 1800
#: A progressive JPEG is held whole, as coefficients: this many bytes of them and of the file (95 megapixels with
#: halved chroma) let a worker that holds 360 MiB grow to less than 700 (python -m benchmarks.memory large).
_MOST_MEMORY = 300_000_000
#: Encoders write 6 to 14. Each one takes time for all of the photo, even if it holds a few bytes.
_MOST_SCANS = 24
#: more are rubbish that happens to look like markers
_MOST_SEGMENTS = 10_000
#: In the coded data of a scan, 0xFF is followed by zero or is the start of a restart marker. Marker 1 has no content.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_BLOCK, _BYTES_OF_A_COEFFICIENT = 8, 2
#: a photo that lost a larger share is refused: 2 % is a narrow strip at the edge
_MOST_LOST = 0.02
#: rows of a unit of blocks where chroma has half the size
_UNIT_ROWS = 16
#: bytes before a marker that may be padding
_MOST_PADDING = 8
#: Between two rows of blocks, lightness may jump by so many codes (0–255) more than it changes within them, on average
#: over half of the row. 1 of 226 whole photos jumps more, and nine in ten of those that lost 100 bytes in the middle.
_SEAM = 12.0
_SEAM_PARTS = 2
#: equal bytes in a row that no baseline scan has, and about which libjpeg warns
_HOLE = 32
_COLOURS = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_LOSSES = ("Corrupt JPEG data", "Premature end of JPEG file", "Inconsistent progression", "Corrupt arithmetic")
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes")
_END = b"\xff\xd9"


@dataclass(frozen=True)
class Layout:
    """What the markers of a JPEG's first picture say.

    ``width``, ``height``: in pixels. ``scans``: how many it has. ``coefficient_bytes``: what libjpeg holds until it has
    read all scans, where several of them refine the same blocks or hold single colours; 0 for other files.
    ``coded``, ``end``: the scans lie between these bytes. ``cut``: the data stop in a scan, without a marker after it.
    """

    width: int
    height: int
    scans: int
    coefficient_bytes: int
    coded: int
    end: int
    cut: bool


def read_layout(image: JpegImageFile, data: bytes) -> Layout:
    """The layout of ``image``, which was opened from ``data``, as far as its markers can be followed."""
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
    """For all coefficients, with blocks filled up to whole units as libjpeg stores them."""
    factors = [(across, down) for _, across, down, _ in image.layer] or [(1, 1)]
    most_across, most_down = (max(sizes) or 1 for sizes in zip(*factors, strict=True))
    units = ceil(image.width / (most_across * _BLOCK)) * ceil(image.height / (most_down * _BLOCK))
    return units * sum(across * down for across, down in factors) * _BLOCK * _BLOCK * _BYTES_OF_A_COEFFICIENT


def check_cost(layout: Layout, data: bytes) -> None:
    """Refuse what would take too much memory or time.

    Raises:
        ImageTooLargeError: coefficients and file take more than _MOST_MEMORY.
        DamagedImageError: more scans than any encoder writes.
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
    """The pixels of ``image``, with _LEAST_SIDE or more on the longest side, and the slight damage that was found.

    A JPEG decodes straight to 1/2, 1/4 or 1/8: 200 megapixels then need a sixty-fourth of the memory. Rows that are
    missing at the end are cut off: libjpeg fills them with a colour that is not skin.

    Raises:
        OSError: more than _MOST_LOST of the photo is lost, or the data cannot be decoded.
    """
    scale = _LEAST_SIDE / max(image.size)
    image.draft(None, (max(1, ceil(image.width * scale)), max(1, ceil(image.height * scale))))
    try:
        pixels = _strictly(image, data)
    except (ValueError, KeyError) as error:
        return _despite(str(error), image, data, layout)
    if image.mode == "CMYK" or pixels.shape[:2] != (image.height, image.width):
        image.load()  # Pillow knows which files store inverted inks
        return Decoded(image)
    return Decoded(Image.fromarray(np.squeeze(pixels, 2) if image.mode == "L" else pixels))


def _strictly(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint8]:
    """Raises ValueError at a warning of libjpeg, KeyError for colours that simplejpeg does not know."""
    colours, height, width = _COLOURS[image.mode], image.height, image.width
    pixels = simplejpeg.decode_jpeg(data, colorspace=colours, min_height=height, min_width=width, strict=True)
    return np.asarray(pixels, np.uint8)


def _despite(warning: str, image: ImageFile.ImageFile, data: bytes, layout: Layout) -> Decoded:
    """The pixels of ``image`` in spite of libjpeg's ``warning``, and the damage that the warning means."""
    if not any(loss in warning for loss in _LOSSES):
        image.load()
        return Decoded(image)
    extraneous = _EXTRANEOUS.search(warning)
    if extraneous:
        # Bytes left over when all blocks were decoded: what came before them was read wrongly, unless they are few.
        if int(extraneous[1]) > _MOST_PADDING:
            raise OSError(warning)
        image.load()
        return Decoded(image, (SLIGHTLY_DAMAGED,))
    # After corrupted data the rest is rubbish. A progressive photo that ends early may be coarse all over.
    ends_early = "remature end" in warning and not layout.coefficient_bytes
    if not ends_early or has_hole(data[layout.coded : layout.end], _HOLE):
        raise OSError(warning)
    if layout.cut and _is_whole(image, data + _END):
        return Decoded(_ended(image, data), (SLIGHTLY_DAMAGED,))
    return _without_the_end(image, data, layout)


def _without_the_end(image: ImageFile.ImageFile, data: bytes, layout: Layout) -> Decoded:
    """A baseline photo that ends early, as far as it goes. libjpeg fills the rest with one colour."""
    if layout.cut:
        image = _ended(image, data)
    factor = max(1, round(layout.height / image.height))
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    rows, lost = _filled(pixels, max(1, _UNIT_ROWS // factor))
    kept = image.height - rows
    # A file that is not cut may have lost its bytes anywhere.
    if not layout.cut and (not lost or _has_seam(pixels[:kept], _BLOCK // factor)):
        raise OSError("the loss may lie anywhere")
    lost = max(lost, (_UNIT_ROWS // factor) ** 2 / (image.width * image.height))  # a unit of blocks at least
    if lost > _MOST_LOST:
        raise OSError(f"{lost:.0%} of the photo is lost")
    return Decoded(image.crop((0, 0, image.width, kept)), (SLIGHTLY_DAMAGED,), kept / image.height)


def _ended(image: ImageFile.ImageFile, data: bytes) -> ImageFile.ImageFile:
    """``image`` with an end marker, without which Pillow does not return its pixels."""
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
    """How many rows at the end of ``pixels`` are not the photo's (whole rows of blocks), and the share of ``pixels``
    that is visibly filled with one colour. ``unit`` is the height of a row of blocks. (unit, 0.0) where too little is
    filled to be sure.
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
    """Whether the photo jumps between two rows of blocks: after missing bytes, it goes on displaced and in another
    lightness. True too where blocks are too small to tell."""
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

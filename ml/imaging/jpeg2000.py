"""Opens JPEG 2000 within limits of memory, and at a reduced size. Only DICOM files contain it.

OpenJPEG holds four bytes per sample, and a record per tile, precinct and code block. Their numbers are read in the
header first (ITU-T T.800, annex A).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from ml.errors import ImageTooLargeError, UnsupportedImageError
from ml.imaging.integrity import has_hole
from ml.imaging.jpeg import LEAST_SIDE
from ml.imaging.limits import BoundedReads

_START = b"\xff\x4f\xff\x51"
_START_OF_TILE, _START_OF_DATA, _END = 0xFF90, 0xFF93, 0xFFD9
#: marker of a coding style, of all components or of one → offsets of its flags and of the number of levels, which the
#: sizes of code blocks and precincts follow
_STYLES = {0xFF52: (4, 9), 0xFF53: (5, 6)}
#: markers that encoders write: quantisation, lengths of tiles and packets, registration, comments
_HARMLESS = (0xFF5C, 0xFF5D, 0xFF55, 0xFF57, 0xFF58, 0xFF63, 0xFF64)
_LEAST_TILE = 14  # bytes
_SIZES = ">H8IH"  # capabilities, width, height, and their offsets; the same of a tile; components
_OWN_PRECINCTS, _SIGNED = 1, 0x80
_BYTES_OF_A_SAMPLE = 4
_MOST_MEMORY = 300_000_000
_MOST_TILES, _MOST_LEVELS, _MOST_BLOCKS = 4096, 32, 1 << 19
_MOST_SEGMENTS = 20_000
#: so many equal bytes in a row do not occur in coded data
_HOLE = 512


_UNUSUAL = "This JPEG 2000 image has parts that are not read. Export it as a JPEG."


@dataclass(frozen=True, repr=False)
class Codestream:
    """A codestream, ``data``, and what its header states. ``bits``: of a sample. ``levels``: how often the size can be
    halved. ``blocks``: at most so many code blocks or precincts."""

    data: bytes
    width: int
    height: int
    components: int
    bits: int
    signed: bool
    tiles: int
    levels: int
    blocks: int


def read_codestream(data: bytes) -> Codestream:
    """The codestream in a JPEG 2000 file, or one without a file.

    Raises UnsupportedImageError if it has markers that encoders do not write, and ValueError, IndexError or
    struct.error if it is damaged.
    """
    data = data[data.index(_START) :]
    _, right, bottom, left, top, tile_width, tile_height, _, _, components = struct.unpack_from(_SIZES, data, 6)
    depth = data[6 + struct.calcsize(_SIZES)]
    width, height = right - left, bottom - top
    tiles = (right // tile_width + 1) * (bottom // tile_height + 1)
    levels, area = _coding_style(data)
    blocks = -(-width * height * components // area)
    bits, signed = (depth & ~_SIGNED) + 1, bool(depth & _SIGNED)
    return Codestream(data, width, height, components, bits, signed, tiles, levels, blocks)


def _coding_style(data: bytes) -> tuple[int, int]:
    """The fewest levels, and the pixels of the smallest code block or precinct.

    Tiles and components may have a style of their own, so that a file of 1 kB could demand gigabytes.
    """
    levels, areas = [], []
    for marker, at in _markers(data):
        if marker in _STYLES:
            flags, first = (at + offset for offset in _STYLES[marker])
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            precincts = data[first + 5 : end] if data[flags] & _OWN_PRECINCTS else b""
            levels.append(data[first])
            areas.append(1 << (data[first + 1] + data[first + 2] + 4))
            areas += [1 << ((size & 15) + (size >> 4)) for size in precincts]
    if not areas:
        raise ValueError("no coding style")
    return min(levels), min(areas)


def _markers(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, offset) of each segment after the sizes, in the main header and in those of all tiles.

    Raises UnsupportedImageError at a marker that encoders do not write: OpenJPEG searches for the next known one.
    """
    at = 4 + int.from_bytes(data[4:6], "big")
    tile_ends = 0
    for _ in range(_MOST_SEGMENTS):
        marker, length = (int.from_bytes(data[place : place + 2], "big") for place in (at, at + 2))
        if marker == _END or at >= len(data):
            return
        if marker == _START_OF_TILE:
            (of_tile,) = struct.unpack_from(">I", data, at + 6)
            if 0 < of_tile < _LEAST_TILE:
                raise ValueError("a tile without data")
            tile_ends = at + of_tile if of_tile else len(data)
        elif marker not in (*_STYLES, *_HARMLESS, _START_OF_DATA):
            raise UnsupportedImageError(_UNUSUAL)
        yield marker, at
        at = tile_ends if marker == _START_OF_DATA else at + 2 + length
    raise UnsupportedImageError(_UNUSUAL)


def open_jpeg2000(stream: Codestream, *, whole: bool) -> Jpeg2KImageFile:
    """The image, which loads at 1/2, 1/4, … of its size, with at least LEAST_SIDE pixels on its longest side, unless
    ``whole``.

    Raises:
        UnsupportedImageError: it has more parts than encoders write.
        ImageTooLargeError: its pixels would take more than _MOST_MEMORY bytes.
        OSError, SyntaxError: it is damaged.
    """
    if stream.tiles > _MOST_TILES or stream.levels > _MOST_LEVELS or stream.blocks > _MOST_BLOCKS:
        raise UnsupportedImageError(_UNUSUAL)
    if has_hole(stream.data, _HOLE):
        raise OSError("a part of the JPEG 2000 data is missing")
    halvings = 0
    while not whole and halvings < stream.levels and max(stream.width, stream.height) >> halvings + 1 >= LEAST_SIDE:
        halvings += 1
    samples = (stream.width >> halvings) * (stream.height >> halvings) * stream.components
    if samples * _BYTES_OF_A_SAMPLE > _MOST_MEMORY:
        raise ImageTooLargeError(
            "This JPEG 2000 image is too large. Send a JPEG or a smaller copy.",
            max_pixels=_MOST_MEMORY // _BYTES_OF_A_SAMPLE // stream.components,
        )
    image = Jpeg2KImageFile(BoundedReads(stream.data))
    image.reduce = halvings
    return image

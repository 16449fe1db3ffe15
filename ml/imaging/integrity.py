"""Checks for damage that a format's decoder does not report."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ml.imaging.containers import coded_extents
from ml.values import Problem

SLIGHTLY_DAMAGED = Problem(
    "damaged",
    "The file is slightly damaged: a small part of the photo may be missing or wrong.",
    "Send the original file.",
)
#: If all line feeds follow carriage returns, and there are at least this many, that is no chance.
_LINE_ENDS = 3
#: bytes of a word, and the factor that repeats its lowest byte in all of them
_WORD, _OF_EQUAL_BYTES = 8, np.uint64(0x0101010101010101)
#: type and checksum of a PNG's last chunk, which is always empty
_PNG_END = b"IEND\xaeB`\x82"
#: So many equal bytes in a row do not occur in the coded data of a photo. HEVC cannot contain them. AV1 can contain
#: fewer: a photo of 9 megapixels with flat corners had 91.
_HEIF_HOLE, _AVIF_HOLE = 32, 512
#: a whole WebP cannot be decoded without this many bytes at its end
_WEBP_SPARED = 32
#: the fields of a BMP's header: length of the file, offset of the pixels, bits per pixel
_BMP_LENGTH, _BMP_START, _BMP_BITS = slice(2, 6), slice(10, 14), slice(28, 30)
# TIFF 6.0 and its Technical Note 2.
_COMPRESSION, _JPEG_TABLES, _BITS, _PLANES = 259, 347, 258, 284
_STRIPS, _TILES = (273, 279), (324, 325)
_RAW, _JPEG, _DEFLATE = 1, 7, (8, 32946)
#: compressed bytes that are decompressed in one step
_PIECE = 65_536
#: bytes that disks and transfers write in place of lost blocks
_FILLS = (b"\0", b"\xff")
#: the smallest hole in uncompressed pixels that is found, in rows
_LEAST_ROWS = 2
#: A hole starts and ends within a row. At its start or end, the neighbouring row is compared on at least so many
#: pixels, of which at most this share has the hole's value.
_LEAST_PIXELS, _SAME = 5, 0.3
#: Neighbouring random bytes differ by 85 codes on average. A row counts as random above the first number, if the
#: median row of the photo is below the second.
_RANDOM, _USUAL = 60.0, 30.0
#: pairs of neighbouring bytes that are compared in a row
_SAMPLES = 256


@dataclass(frozen=True)
class Decoded:
    """The pixels of a file, not yet upright or in sRGB: an image, or an array (height, width[, 3 or 4]).

    ``problems``: the slight damage. ``kept``: the share of the file's rows that ``pixels`` contains, 0–1. Rows that are
    lost at the end are cut off.
    """

    pixels: Image.Image | NDArray[np.uint8]
    problems: tuple[Problem, ...] = ()
    kept: float = 1.0


def was_sent_as_text(data: bytes) -> bool:
    """Whether every line feed follows a carriage return, which a transfer in text mode causes."""
    line_feeds = data.count(b"\n")
    return line_feeds >= _LINE_ENDS and line_feeds == data.count(b"\r\n")


def has_hole(coded: bytes, length: int) -> bool:
    """Whether ``length`` (≥ 24) successive bytes of ``coded`` are equal. Compressed data looks random; a block that a
    disk or a transfer lost is filled with one value."""
    words = np.frombuffer(coded, "<u8", len(coded) // _WORD)
    uniform = words == (words & 0xFF) * _OF_EQUAL_BYTES
    goes_on = uniform[1:] & (words[1:] == words[:-1])
    stops = np.concatenate([[-1], np.flatnonzero(~goes_on), [len(goes_on)]])
    return int(np.diff(stops).max()) > length // _WORD - 2


def find_damage(image: ImageFile.ImageFile, data: bytes) -> tuple[Problem, ...]:
    """The slight damage of ``image``, opened from ``data`` and not loaded. JPEG is checked while it is decoded.

    Raises:
        OSError: pixels are lost, and it is unknown which ones.
    """
    match image.format:
        case "PNG":
            return () if _PNG_END in data else (SLIGHTLY_DAMAGED,)
        case "WEBP":
            damaged = _leaves_bytes_unread(data)
        case "HEIF":
            damaged = _is_damaged_heif(data, _HEIF_HOLE)
        case "AVIF":
            damaged = _is_damaged_heif(data, _AVIF_HOLE)
        case "TIFF":
            damaged = _is_damaged_tiff(image, data)
        case "BMP":
            damaged = _is_damaged_bmp(image, data)
        case _:
            damaged = False
    if damaged:
        raise OSError(f"the {image.format} data is damaged")
    return ()


def _leaves_bytes_unread(data: bytes) -> bool:
    """Whether a still WebP also decodes without its last bytes. WebP has no checksum, but after damage its decoder
    usually stops at another place."""
    kind, coded = _coded_webp(data)
    if len(coded) < 4 * _WEBP_SPARED:
        return False
    shorter = coded[:-_WEBP_SPARED]
    shorter += b"\0" * (len(shorter) % 2)
    chunk = b"WEBP" + kind + struct.pack("<I", len(coded) - _WEBP_SPARED) + shorter
    file = b"RIFF" + struct.pack("<I", len(chunk)) + chunk
    return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED) is not None


def _coded_webp(data: bytes) -> tuple[bytes, bytes]:
    """The type and content of the first chunk with a picture; both empty if there is none, as in an animation."""
    at = 12
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return b"", b""


def _is_damaged_heif(data: bytes, hole: int) -> bool:
    """Whether coded bytes of the primary picture are missing, or ``hole`` successive ones are equal.

    The decoders report neither: they decode noise after a hole, and leave missing tiles black.
    """
    total = 0
    for start, length in coded_extents(data):
        total += length
        if max(total, start + length) > len(data) or has_hole(data[start : start + length], hole):
            return True
    return False


def _is_damaged_tiff(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Whether a strip or tile of the first picture is missing or was changed."""
    if not isinstance(image, TiffImageFile):
        return False
    tags = image.tag_v2
    offsets, lengths = next((pair for pair in (_STRIPS, _TILES) if pair[0] in tags), _STRIPS)
    parts = list(zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False))
    if not any(length for _, length in parts):
        return False  # old writers leave the lengths out; the decoder computes them
    if any(not offset or not length or offset + length > len(data) for offset, length in parts):
        return True
    if sum(length for _, length in parts) > len(data):
        return False  # they overlap
    return not _are_sound(parts, image, data)


def _are_sound(parts: list[tuple[int, int]], image: TiffImageFile, data: bytes) -> bool:
    """Whether no change is found in the strips or tiles at ``parts``, (offset, length)."""
    tags = image.tag_v2
    compression, bits = tags.get(_COMPRESSION, _RAW), sum(tags.get(_BITS, (1,)))
    coded = (data[offset : offset + length] for offset, length in parts)
    if compression == _JPEG:
        tables = tags.get(_JPEG_TABLES, b"")
        return all(_is_sound_jpeg(strip, tables) for strip in coded)
    if compression in _DEFLATE:
        most = image.width * image.height * bits // 8
        return all(_is_sound_deflate(strip, most) for strip in coded)
    in_rows = _STRIPS[0] in tags and tags.get(_PLANES, 1) == 1
    in_order = all(sum(part) == following for part, (following, _) in pairwise(parts))
    if compression == _RAW and bits % 8 == 0 and in_rows and in_order:
        return not was_overwritten(data, parts[0][0], image.height, image.width * bits // 8, bits // 8)
    return True


def _is_sound_jpeg(strip: bytes, tables: bytes) -> bool:
    """Whether libjpeg decodes a strip without a warning. libtiff would hide the warning."""
    file = tables[:-2] + strip[2:] if tables else strip
    try:
        return bool(simplejpeg.decode_jpeg(file, min_height=1, min_width=1).size)
    except ValueError:
        return False


def _is_sound_deflate(strip: bytes, most: int) -> bool:
    """Whether a strip's checksum, which libtiff ignores, is right. True if more than ``most`` bytes come out, because
    the rest is not decompressed."""
    stream, done = zlib.decompressobj(), 0
    try:
        for at in range(0, len(strip), _PIECE):
            done += len(stream.decompress(strip[at : at + _PIECE]))
            if done > most:
                return True
    except zlib.error:
        return False
    return stream.eof


def _is_damaged_bmp(image: ImageFile.ImageFile, data: bytes) -> bool:
    length, start, bits = (int.from_bytes(data[place], "little") for place in (_BMP_LENGTH, _BMP_START, _BMP_BITS))
    if 0 < len(data) - length == data.count(b"\r\n") == data.count(b"\n"):
        return True  # sent as text
    stride = -(-image.width * bits // 32) * 4
    return bits >= 24 and was_overwritten(data, start, image.height, stride, bits // 8)


def was_overwritten(data: bytes, start: int, rows: int, stride: int, pixel: int) -> bool:
    """Whether some uncompressed pixels were overwritten with one value or with random bytes.

    The pixels are ``rows`` rows of ``stride`` bytes, ``pixel`` bytes each, from the offset ``start`` of ``data``.
    """
    if rows <= _LEAST_ROWS or stride < 2 * pixel or start + rows * stride > len(data):
        return False
    return _has_filled_rows(data, start, rows, stride, pixel) or _has_random_rows(data, start, rows, stride, pixel)


def _has_filled_rows(data: bytes, start: int, rows: int, stride: int, pixel: int) -> bool:
    """Whether there is a hole of one value. A black or white bar that the photo shows starts and ends with a row, or
    continues in the row above or below. A hole does not."""
    stop = start + rows * stride
    for fill in _FILLS:
        wanted, at = fill * (_LEAST_ROWS * stride), start
        run = re.compile(re.escape(fill) + b"*")
        while (first := data.find(wanted, at, stop)) >= 0:
            end = at = run.match(data, first, stop).end()  # type: ignore[union-attr]
            into_row, over = (first - start) % stride, (end - start) % stride
            above = data[max(start, first - stride) : first - into_row] if into_row else b""
            below = data[end - over + stride : min(stop, end + stride)]
            if _is_of_another_colour(above, fill, pixel) or _is_of_another_colour(below, fill, pixel):
                return True
    return False


def _is_of_another_colour(neighbours: bytes, fill: bytes, pixel: int) -> bool:
    return len(neighbours) >= _LEAST_PIXELS * pixel and neighbours.count(fill) < _SAME * len(neighbours)


def _has_random_rows(data: bytes, start: int, rows: int, stride: int, pixel: int) -> bool:
    """Whether two rows or more are random bytes, such as those of another file. False if the photo itself is noise."""
    table = np.frombuffer(data, np.uint8, rows * stride, start).reshape(rows, stride)
    places = np.linspace(0, stride - pixel - 1, _SAMPLES).astype(int)
    differ = np.abs(table[:, places].astype(np.int16) - table[:, places + pixel]).mean(axis=1)
    return int((differ > _RANDOM).sum()) >= _LEAST_ROWS and float(np.median(differ)) < _USUAL

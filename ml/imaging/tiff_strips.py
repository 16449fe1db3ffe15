"""Strips and tiles of a TIFF that are missing, or damaged without a word of libtiff (TIFF 6.0; Technical Note 2)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import simplejpeg
from PIL import Image

from ml.imaging import raster_damage

_COMPRESSION, _JPEG_TABLES, _BITS, _PLANES = 259, 347, 258, 284
_STRIPS, _TILES = (273, 279), (324, 325)
_RAW, _JPEG, _DEFLATE = 1, 7, (8, 32946)
#: compressed bytes that are taken at once
_PIECE = 65_536


@dataclass(frozen=True)
class _Parts:
    """Where the strips or tiles lie."""

    offsets: Sequence[int]
    lengths: Sequence[int]

    def cut(self, data: bytes) -> Iterator[bytes]:
        return (data[offset : offset + length] for offset, length in zip(self.offsets, self.lengths, strict=False))

    def ends(self) -> int:
        return max(offset + length for offset, length in zip(self.offsets, self.lengths, strict=False))

    def follow_each_other(self) -> bool:
        pairs = zip(self.offsets, self.lengths, self.offsets[1:], strict=False)
        return all(offset + length == following for offset, length, following in pairs)


def is_damaged(image: Image.Image, data: bytes) -> bool:
    """Whether a part of the first picture of a TIFF is missing or not what was written.

    ``image`` is opened from ``data`` and not loaded.
    """
    tags: Any = getattr(image, "tag_v2", {})
    offsets, lengths = next((pair for pair in (_STRIPS, _TILES) if pair[0] in tags), _STRIPS)
    parts = _Parts(tags.get(offsets, ()), tags.get(lengths, ()))
    if not parts.offsets or not any(parts.lengths):
        return False  # old writers leave the lengths out; the decoder reckons them
    if parts.ends() > len(data) or 0 in (*parts.offsets, *parts.lengths):
        return True
    if sum(parts.lengths) > len(data):
        return False  # they overlap
    return not _is_sound(image, tags, parts, data)


def _is_sound(image: Image.Image, tags: Any, parts: _Parts, data: bytes) -> bool:
    compression, bits = tags.get(_COMPRESSION, _RAW), sum(tags.get(_BITS, (1,)))
    if compression == _JPEG:
        tables = tags.get(_JPEG_TABLES, b"")
        return all(_is_sound_jpeg(strip, tables) for strip in parts.cut(data))
    if compression in _DEFLATE:
        most = image.width * image.height * bits // 8
        return all(_is_sound_deflate(strip, most) for strip in parts.cut(data))
    in_rows = _STRIPS[0] in tags and tags.get(_PLANES, 1) == 1 and parts.follow_each_other()
    if compression == _RAW and bits % 8 == 0 and in_rows:
        stride, pixel = image.width * bits // 8, bits // 8
        return not raster_damage.is_damaged(data, parts.offsets[0], image.height, stride, pixel)
    return True


def _is_sound_jpeg(strip: bytes, tables: bytes) -> bool:
    """Whether libjpeg decodes a strip without a warning, which libtiff would keep to itself."""
    file = tables[:-2] + strip[2:] if tables else strip
    try:
        return bool(simplejpeg.decode_jpeg(file, min_height=1, min_width=1).size)
    except ValueError:
        return False


def _is_sound_deflate(strip: bytes, most: int) -> bool:
    """Whether a strip ends with its checksum, which libtiff does not look at. Not told beyond ``most`` bytes."""
    stream, done = zlib.decompressobj(), 0
    try:
        for at in range(0, len(strip), _PIECE):
            done += len(stream.decompress(strip[at : at + _PIECE]))
            if done > most:
                return True
    except zlib.error:
        return False
    return stream.eof

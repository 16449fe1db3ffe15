"""Where the coded picture lies in a HEIF or AVIF file (ISO/IEC 14496-12, 8.11: item location and references)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ml.imaging.damage import has_hole

#: a box that holds boxes after a version and flags
_FULL_BOX = 4
#: grids hold tiles, and nothing sensible goes deeper
_DEEPEST = 4
#: a grid of 256 × 256 tiles
_MOST_PARTS = 65_536


def is_damaged(data: bytes, hole: int) -> bool:
    """Whether the primary picture's coded bytes are not all there, or ``hole`` of them in a row are equal.

    The decoders do not complain: what is coded behind a hole becomes rubbish, and tiles that are missing stay black.
    """
    total = 0
    for start, length in coded_extents(data):
        total += length
        if max(total, start + length) > len(data):
            return True
        if has_hole(data[start : start + length], hole):
            return True
    return False


def coded_extents(data: bytes) -> list[tuple[int, int]]:
    """(offset, bytes) of each coded part of the primary picture; empty where the boxes do not tell."""
    try:
        meta = next((box for kind, box in _boxes(data) if kind == b"meta"), b"")[_FULL_BOX:]
        boxes = dict(_boxes(meta))
        primary = _number(boxes[b"pitm"][_FULL_BOX:])
        located = _located(boxes[b"iloc"])
        parts = _parts(boxes.get(b"iref", b""))
        items = dict.fromkeys(islice(_leaves(primary, parts), _MOST_PARTS))
        return [extent for item in items for extent in located.get(item, [])]
    except (KeyError, IndexError):
        return []


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of the boxes in ``data``. A length of 1 stands before a longer one, 0 for the rest."""
    at = 0
    while at + 8 <= len(data):
        length, header = int.from_bytes(data[at : at + 4], "big"), 8
        if length == 1:
            length, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + length if length else len(data)
        if length and length < header:
            return
        yield data[at + 4 : at + 8], data[at + header : end]
        at = end


def _number(data: bytes) -> int:
    return int.from_bytes(data[: 4 if len(data) >= 4 else 2], "big")


def _located(box: bytes) -> dict[int, list[tuple[int, int]]]:
    """Item → its extents in the file."""
    version, sizes, more = box[0], box[4], box[5]
    of_offset, of_length, of_base, of_index = sizes >> 4, sizes & 15, more >> 4, more & 15 if version else 0
    wide = 4 if version == 2 else 2
    reader = _Reader(box, 6)
    found: dict[int, list[tuple[int, int]]] = {}
    for _ in range(reader.take(wide)):
        item = reader.take(wide)
        in_file = (reader.take(2) & 15 if version else 0) == 0
        reader.take(2)
        base = reader.take(of_base)
        extents = []
        for _ in range(reader.take(2)):
            reader.take(of_index)
            offset = reader.take(of_offset)
            extents.append((base + offset, reader.take(of_length)))
        if in_file:
            found[item] = extents
    return found


def _parts(box: bytes) -> dict[int, list[int]]:
    """Item → the items that it is put together from."""
    wide = 4 if box[:1] == b"\x01" else 2
    found = {}
    for kind, content in _boxes(box[_FULL_BOX:]):
        if kind == b"dimg":
            reader = _Reader(content)
            item = reader.take(wide)
            found[item] = [reader.take(wide) for _ in range(reader.take(2))]
    return found


def _leaves(item: int, parts: dict[int, list[int]], depth: int = 0) -> Iterator[int]:
    if item not in parts or depth == _DEEPEST:
        yield item
        return
    for part in parts[item]:
        yield from _leaves(part, parts, depth + 1)


class _Reader:
    """Big-endian numbers, one after the other. Raises IndexError beyond the end."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self._at = data, at

    def take(self, size: int) -> int:
        """The next number of ``size`` bytes; 0 where it has none."""
        end = self._at + size
        if end > len(self._data):
            raise IndexError(end)
        number = int.from_bytes(self._data[self._at : end], "big")
        self._at = end
        return number

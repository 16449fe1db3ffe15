"""Reads the type and structure of a file: supported formats, camera raw files, and the items of a HEIF."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from itertools import islice

#: first bytes of the allowed formats; if such a file does not open it is damaged, any other file is unsupported
_SIGNATURES = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: HEIF and AVIF share their container with videos; these brands are theirs
_FTYP_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")

#: first bytes of raw files that are not TIFF: ORF, RW2, RAF, X3F, MRW
_RAW_STARTS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM")
_CR2, _CR3, _CRW = b"CR\x02", b"ftypcrx ", b"HEAPCCDR"
#: first bytes of a TIFF → struct's codes for byte order, a pointer and the number of entries; bytes of an entry
_TIFF = {
    b"II*\0": ("<", "I", "H", 12),
    b"MM\0*": (">", "I", "H", 12),
    b"II+\0": ("<", "Q", "Q", 20),
    b"MM\0+": (">", "Q", "Q", 20),
}
_DNG_VERSION, _SUBFILE_TYPE, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES = 50706, 254, 259, 262, 271, 330
_LOOKED_AT = {_DNG_VERSION, _SUBFILE_TYPE, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES}
_REDUCED = 1
#: photometric interpretations of raw data: colour filter array, linear raw
_SENSOR = {32803, 34892}
#: compressions of raw data: Sony, Samsung, Nikon, lossy DNG, Kodak, Pentax
_SENSOR_COMPRESSIONS = {32767, 32770, 34713, 34892, 65000, 65535}
#: TIFF's type of a value → struct's code; values of other types are not read
_VALUE_FORMS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
#: real files have three to six directories with a few dozen entries each
_MOST_DIRECTORIES, _MOST_ENTRIES = 32, 1000

#: bytes of version and flags at the start of some boxes of a HEIF
_FULL_BOX = 4
#: levels of nested grids that are followed; real files have one
_DEEPEST = 4
#: items of a picture; this is a grid of 256 × 256 tiles
_MOST_PARTS = 65_536

#: A DICOM file begins with 128 bytes of any content and a prefix, or, without these, with the length of its first group
DICOM_PREFIX_AT, DICOM_PREFIX = 128, b"DICM"
_DICOM_GROUP_LENGTH = b"\x02\0\0\0UL\x04\0"


def is_dicom(data: bytes) -> bool:
    """Whether ``data`` is a DICOM file."""
    return data.startswith(DICOM_PREFIX, DICOM_PREFIX_AT) or data.startswith(_DICOM_GROUP_LENGTH)


def claims_to_be_allowed(data: bytes) -> bool:
    """Whether ``data`` starts like a file of an allowed format."""
    container, kind = data[:8], data[8:12]
    if container.startswith(b"RIFF"):
        return kind == b"WEBP"
    if container.endswith(b"ftyp"):
        return kind in _FTYP_BRANDS
    return data.startswith(_SIGNATURES)


def is_raw(data: bytes) -> bool:
    """Whether ``data`` is a camera's raw file, or a TIFF whose first picture is a thumbnail of another one.

    Pillow would open a raw file's thumbnail, or fail; it cannot read the photo.
    """
    if data.startswith(_RAW_STARTS) or data[8:11] == _CR2 or data[4:12] == _CR3 or data[6:14] == _CRW:
        return True
    if data[:4] not in _TIFF:
        return False
    directories = list(_directories(data))
    if any(_holds_sensor_data(tags) for tags in directories):
        return True
    # NEF, ARW, PEF and SRW: the first directory has a reduced image, a sub-directory has the sensor's data.
    first = directories[0] if directories else {}
    return bool(_first(first, _SUBFILE_TYPE) & _REDUCED) and (len(directories) > 1 or _MAKE in first)


#: tag → its integer values
_Tags = dict[int, tuple[int, ...]]


def _holds_sensor_data(tags: _Tags) -> bool:
    return (
        _DNG_VERSION in tags
        or _first(tags, _PHOTOMETRIC) in _SENSOR
        or _first(tags, _COMPRESSION) in _SENSOR_COMPRESSIONS
    )


def _first(tags: _Tags, tag: int) -> int:
    return next(iter(tags.get(tag, ())), 0)


def _directories(data: bytes) -> Iterator[_Tags]:
    """The directories and sub-directories of a TIFF, the first directory first.

    Pillow's reader is not used, because it copies all values: a hostile file of 100 MB would take gigabytes.
    """
    pointer = _TIFF[data[:4]][1]
    waiting = [_numbers(data, pointer, struct.calcsize(pointer), 1)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        for at in waiting.pop(0):
            if at not in seen and 0 < at < len(data):
                seen.add(at)
                tags, following = _read(data, at)
                waiting += [following, tags.get(_SUB_DIRECTORIES, ())]
                yield tags


def _read(data: bytes, at: int) -> tuple[_Tags, tuple[int, ...]]:
    """The tags in _LOOKED_AT of the directory at the offset ``at``, as far as they exist, and the next one's offset."""
    order, pointer, count_form, of_entry = _TIFF[data[:4]]
    start, of_value = at + struct.calcsize(count_form), struct.calcsize(pointer)
    count = next(iter(_numbers(data, count_form, at, 1)), 0)
    entries = data[start : start + min(count, _MOST_ENTRIES) * of_entry]
    entries = entries[: len(entries) // of_entry * of_entry]
    tags: _Tags = {}
    for number, (tag, kind, values) in enumerate(
        struct.iter_unpack(f"{order}HH{pointer}{of_value}x", entries), start=1
    ):
        if tag in _LOOKED_AT:
            form, place = _VALUE_FORMS.get(kind, ""), start + number * of_entry - of_value
            if form and values * struct.calcsize(form) > of_value:
                (place,) = _numbers(data, pointer, place, 1)
            tags[tag] = _numbers(data, form, place, min(values, _MOST_DIRECTORIES)) if form else ()
    return tags, _numbers(data, pointer, start + count * of_entry, 1)


def _numbers(data: bytes, form: str, at: int, count: int) -> tuple[int, ...]:
    """``count`` numbers of a TIFF at the offset ``at``; empty if the data end before."""
    pattern = f"{_TIFF[data[:4]][0]}{count}{form}"
    return struct.unpack_from(pattern, data, at) if at + struct.calcsize(pattern) <= len(data) else ()


def coded_extents(data: bytes) -> list[tuple[int, int]]:
    """(offset, length in bytes) of each coded part of the primary picture of a HEIF or AVIF; empty if unknown.

    Source: ISO/IEC 14496-12, 8.11, item location and references.
    """
    try:
        meta = next((box for kind, box in _boxes(data) if kind == b"meta"), b"")
        boxes = dict(_boxes(meta[_FULL_BOX:]))
        primary = int.from_bytes(boxes[b"pitm"][_FULL_BOX : 2 * _FULL_BOX], "big")
        located, parts = _located(boxes[b"iloc"]), _parts(boxes.get(b"iref", b""))
        items = dict.fromkeys(islice(_leaves(primary, parts), _MOST_PARTS))
        return [extent for item in items for extent in located.get(item, [])]
    except (KeyError, IndexError):
        return []


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of the boxes in ``data``. The length 1 means that a 64-bit length follows, and 0 that the box
    extends to the end."""
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


def _located(box: bytes) -> dict[int, list[tuple[int, int]]]:
    """Item → its extents in the file, (offset, length), from an ``iloc`` box."""
    version, sizes, more = box[0], box[4], box[5]
    of_offset, of_length, of_base, of_index = sizes >> 4, sizes & 15, more >> 4, more & 15 if version else 0
    wide = 4 if version == 2 else 2
    take = _reader(box[6:])
    found: dict[int, list[tuple[int, int]]] = {}
    for _ in range(take(wide)):
        item = take(wide)
        in_file = (take(2) & 15 if version else 0) == 0
        take(2)
        base = take(of_base)
        extents = []
        for _ in range(take(2)):
            take(of_index)
            offset = take(of_offset)
            extents.append((base + offset, take(of_length)))
        if in_file:
            found[item] = extents
    return found


def _parts(box: bytes) -> dict[int, list[int]]:
    """Item → the items that it is derived from, such as the tiles of a grid, from an ``iref`` box."""
    wide = 4 if box[:1] == b"\x01" else 2
    found = {}
    for kind, content in _boxes(box[_FULL_BOX:]):
        if kind == b"dimg":
            take = _reader(content)
            item = take(wide)
            found[item] = [take(wide) for _ in range(take(2))]
    return found


def _leaves(item: int, parts: dict[int, list[int]], depth: int = 0) -> Iterator[int]:
    if item not in parts or depth == _DEEPEST:
        yield item
        return
    for part in parts[item]:
        yield from _leaves(part, parts, depth + 1)


def _reader(data: bytes) -> Callable[[int], int]:
    """A function that reads the next big-endian integer of so many bytes. It raises IndexError at the end."""
    stream = io.BytesIO(data)

    def take(size: int) -> int:
        taken = stream.read(size)
        if len(taken) < size:
            raise IndexError(size)
        return int.from_bytes(taken, "big")

    return take

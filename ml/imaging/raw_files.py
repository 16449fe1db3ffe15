"""Raw files of cameras: what Pillow opens of them is a thumbnail, or nothing, but never the photo."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

#: leading bytes of raw files that are no plain TIFF: ORF, RW2, RAF, X3F, MRW
_STARTS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM")
_CR2, _CR3, _CRW = b"CR\x02", b"ftypcrx ", b"HEAPCCDR"
_TIFF = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_DNG_VERSION, _SUBFILE_TYPE, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES = 50706, 254, 259, 262, 271, 330
_LOOKED_AT = {_DNG_VERSION, _SUBFILE_TYPE, _COMPRESSION, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES}
_REDUCED = 1
#: colour filter array and linear raw
_SENSOR = {32803, 34892}
#: Sony's, Samsung's, Nikon's, lossy DNG's, Kodak's and Pentax's
_SENSOR_COMPRESSIONS = {32767, 32770, 34713, 34892, 65000, 65535}
#: bytes of a value, by its type; others are not looked into
_VALUE_SIZES = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
#: files have three to six directories
_MOST_DIRECTORIES, _MOST_ENTRIES = 32, 1000


def is_raw(data: bytes) -> bool:
    """Whether ``data`` is a camera's raw file, or a TIFF that begins with a thumbnail of another picture."""
    if data.startswith(_STARTS) or data[8:11] == _CR2 or data[4:12] == _CR3 or data[6:14] == _CRW:
        return True
    if data[:4] not in _TIFF:
        return False
    directories = list(_directories(data))
    if any(_holds_sensor_data(each) for each in directories):
        return True
    # NEF, ARW, PEF and SRW: a camera's reduced image comes first, and the sensor's data are in a directory below.
    first = directories[0] if directories else _Directory()
    return bool(first.value(_SUBFILE_TYPE) & _REDUCED) and (len(directories) > 1 or _MAKE in first.tags)


@dataclass
class _Directory:
    """The tags of an image file directory that matter here, with their whole numbers; and where the next one lies."""

    tags: dict[int, tuple[int, ...]] = field(default_factory=dict)
    following: int = 0

    def value(self, tag: int) -> int:
        return next(iter(self.tags.get(tag, ())), 0)


def _holds_sensor_data(directory: _Directory) -> bool:
    return (
        _DNG_VERSION in directory.tags
        or directory.value(_PHOTOMETRIC) in _SENSOR
        or directory.value(_COMPRESSION) in _SENSOR_COMPRESSIONS
    )


def _directories(data: bytes) -> Iterator[_Directory]:
    """The directories of a TIFF, the first one first, with those below them."""
    order, big = _TIFF[data[:4]], data[2:4] in (b"+\0", b"\0+")
    waiting = [_numbers(data, order, "Q" if big else "I", 8 if big else 4, 1)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        for at in waiting.pop(0):
            if at in seen or not 0 < at < len(data):
                continue
            seen.add(at)
            directory = _read(data, at, order, big)
            waiting += [(directory.following,), directory.tags.get(_SUB_DIRECTORIES, ())]
            yield directory


def _read(data: bytes, at: int, order: str, big: bool) -> _Directory:
    """The directory at byte ``at``, as far as it is there."""
    count, at = next(iter(_numbers(data, order, "Q" if big else "H", at, 1)), 0), at + (8 if big else 2)
    of_entry, of_value, pointer = (20, 8, "Q") if big else (12, 4, "I")
    directory = _Directory()
    for place in range(at, at + min(count, _MOST_ENTRIES) * of_entry, of_entry):
        if place + of_entry > len(data):
            return directory
        tag, kind, number = struct.unpack_from(order + "HH" + pointer, data, place)
        if tag not in _LOOKED_AT:
            continue
        value, form = place + of_entry - of_value, _VALUE_SIZES.get(kind, "")
        if form and number * struct.calcsize(form) > of_value:
            value = _numbers(data, order, pointer, value, 1)[0]
        directory.tags[tag] = _numbers(data, order, form, value, min(number, _MOST_DIRECTORIES)) if form else ()
    directory.following = next(iter(_numbers(data, order, pointer, at + count * of_entry, 1)), 0)
    return directory


def _numbers(data: bytes, order: str, form: str, at: int, count: int) -> tuple[int, ...]:
    """``count`` numbers at byte ``at``; none where the data end before."""
    pattern = f"{order}{count}{form}"
    return struct.unpack_from(pattern, data, at) if at + struct.calcsize(pattern) <= len(data) else ()

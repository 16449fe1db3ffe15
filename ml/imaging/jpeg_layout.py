"""The markers of a JPEG, read without decoding (ITU-T T.81, annex B): what decoding will cost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

#: markers that have no length and no content
_BARE = {0x01, *range(0xD0, 0xD8)}
_START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_END, _START_OF_SCAN = 0xD9, 0xDA
#: in the coded data of a scan, 0xFF is followed by zero or is the start of a restart marker
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
#: more are rubbish that happens to look like markers
_MOST_SEGMENTS = 10_000
_BLOCK = 8
_BYTES_OF_A_COEFFICIENT = 2


@dataclass(frozen=True)
class JpegLayout:
    """What the markers of the first picture say.

    ``scans`` it has; ``in_passes`` where several of them refine the same blocks or colours, so that libjpeg holds
    ``coefficient_bytes`` until it has read all, else 0. ``height`` in pixels. From ``coded`` to ``end`` lie the scans.
    ``cut``: the data stop in a scan, without any marker after it.
    """

    scans: int = 0
    in_passes: bool = False
    coefficient_bytes: int = 0
    height: int = 0
    coded: int = 0
    end: int = 0
    cut: bool = False


def read_layout(data: bytes) -> JpegLayout:
    """The layout of the JPEG that starts at ``data[0]``, as far as its markers can be followed."""
    in_scan = False
    frame, in_passes, scans, coded, at, cut = b"", False, 0, 0, 2, False
    for _ in range(_MOST_SEGMENTS):
        found = _NEXT_MARKER.search(data, at)
        if found is None:
            at, cut = len(data), in_scan
            break
        marker, at = data[found.end() - 1], found.end()
        if marker == _END:
            break
        if marker in _BARE:
            continue
        in_scan = marker == _START_OF_SCAN
        length = int.from_bytes(data[at : at + 2], "big")
        segment = data[at + 2 : at + length]
        if marker in _START_OF_FRAME:
            frame, in_passes = segment, marker in _PROGRESSIVE
        elif in_scan:
            scans, coded = scans + 1, coded or at + length
            in_passes = in_passes or (scans == 1 and segment[:1] < frame[5:6])
        at += length
    held = _coefficients(frame) * _BYTES_OF_A_COEFFICIENT if in_passes else 0
    return JpegLayout(scans, in_passes, held, int.from_bytes(frame[1:3], "big"), coded, at, cut)


def _coefficients(frame: bytes) -> int:
    """How many a frame has, its blocks filled up to whole units as libjpeg stores them."""
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        return 0
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    factors = [(value >> 4, value & 15) for value in frame[7 : 7 + 3 * frame[5] : 3]]
    most_across, most_down = (max(sizes, default=1) or 1 for sizes in zip(*factors, strict=True))
    across, down = ceil(width / (most_across * _BLOCK)), ceil(height / (most_down * _BLOCK))
    return sum(across * h * down * v for h, v in factors) * _BLOCK * _BLOCK

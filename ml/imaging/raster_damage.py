"""Uncompressed pixels that were overwritten. Nothing in the file tells: black may be the photo's own."""

from __future__ import annotations

import re

import numpy as np

#: what disks and transfers leave in place of lost blocks
_FILLS = (b"\0", b"\xff")
#: a hole is no shorter than these rows
_LEAST_ROWS = 2
#: A hole begins with the end of a row, at least so many pixels of it, and ends with the beginning of one. The row above
#: or below it has its colour in no more than this share of those pixels.
_LEAST_PIXELS, _SAME = 5, 0.3
#: Neighbours differ by 85 codes in the mean where bytes are random. A row is rubbish beyond the first number, in a
#: photo of which half of the rows stay below the second.
_RUBBISH, _USUAL = 60.0, 30.0
#: neighbours of a row that are looked at
_SAMPLES = 256


def is_damaged(data: bytes, start: int, rows: int, stride: int, pixel: int) -> bool:
    """Whether ``rows`` of ``stride`` bytes, ``pixel`` bytes each, that begin at byte ``start`` of ``data`` were
    overwritten with one byte or with rubbish."""
    if rows <= _LEAST_ROWS or stride < 2 * pixel or start + rows * stride > len(data):
        return False
    return _has_hole(data, start, rows, stride, pixel) or _has_rubbish(data, start, rows, stride, pixel)


def _has_hole(data: bytes, start: int, rows: int, stride: int, pixel: int) -> bool:
    """A black or white bar begins and ends with a row, and what is black beside it goes on above or below."""
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


def _has_rubbish(data: bytes, start: int, rows: int, stride: int, pixel: int) -> bool:
    """Two rows or more of random bytes, such as another file's, in a photo that is not noise itself."""
    table = np.frombuffer(data, np.uint8, rows * stride, start).reshape(rows, stride)
    places = np.linspace(0, stride - pixel - 1, _SAMPLES).astype(int)
    differ = np.abs(table[:, places].astype(np.int16) - table[:, places + pixel]).mean(axis=1)
    return int((differ > _RUBBISH).sum()) >= _LEAST_ROWS and float(np.median(differ)) < _USUAL

"""What all formats share of damage: how much may be lost, what the answer says of it, and signs in the bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ml.values import Problem

#: a photo that lost a larger share is refused: 2 % is a narrow strip at the edge
MOST_LOST = 0.02
#: this many line feeds, each after a carriage return, do not occur by chance in pixels
_LINE_ENDS = 3
#: bytes that are compared at once, and what a number is multiplied by to fill them
_WORD, _OF_EQUAL_BYTES = 8, np.uint64(0x0101010101010101)
SLIGHTLY_DAMAGED = Problem(
    "damaged",
    "The file is slightly damaged: a small part of the photo may be missing or wrong.",
    "Send the original file.",
)


@dataclass(frozen=True)
class Decoded:
    """The pixels of a file, as it stores them. ``kept`` is the share of its rows that there are, 0–1: rows that are
    lost at the end are not in ``image``."""

    image: Image.Image
    problems: tuple[Problem, ...] = ()
    kept: float = 1.0


def was_sent_as_text(data: bytes) -> bool:
    """Whether every line feed follows a carriage return, as a transfer in text mode leaves it."""
    line_feeds = data.count(b"\n")
    return line_feeds >= _LINE_ENDS and line_feeds == data.count(b"\r\n")


def slight(lost: float) -> tuple[Problem, ...]:
    """The problem of a photo that lost the share ``lost``, 0–1; none where it lost nothing.

    Raises:
        OSError: more than MOST_LOST.
    """
    if lost > MOST_LOST:
        raise OSError(f"{lost:.0%} of the photo is lost")
    return (SLIGHTLY_DAMAGED,) if lost else ()


def has_hole(coded: bytes, length: int) -> bool:
    """Whether ``length`` bytes in a row, 24 at least, are equal in ``coded``: compressed data looks random, a hole that
    a disk or a transfer left does not."""
    words = np.frombuffer(coded, "<u8", len(coded) // _WORD)
    uniform = words == (words & 0xFF) * _OF_EQUAL_BYTES
    goes_on = uniform[1:] & (words[1:] == words[:-1])
    stops = np.concatenate([[-1], np.flatnonzero(~goes_on), [len(goes_on)]])
    return int(np.diff(stops).max()) > length // _WORD - 2

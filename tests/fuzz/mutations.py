"""Ways to damage files, as transfers, disks and attackers do."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

#: numbers that lengths, sizes and offsets are spoiled with
_NUMBERS = (
    0,
    1,
    2,
    7,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFE,
    0xFFFFFFFF,
)
_FORMS = ("<B", "<H", ">H", "<I", ">I", ">Q")
#: half of the damage is within so many bytes of the start, where the headers are
_HEADER = 512
#: larger files are not damaged further
_ENOUGH = 1 << 22


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of ``seeds``, spoiled once to six times."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 6))):
        if not 0 < len(data) < _ENOUGH:
            break
        data = draw(st.sampled_from(_KINDS))(draw, data, seeds)
    return data


def _place(draw: st.DrawFn, data: bytes) -> int:
    near = draw(st.booleans())
    return draw(st.integers(0, min(len(data), _HEADER) - 1 if near else len(data) - 1))


def _byte(draw: st.DrawFn, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = _place(draw, data)
    return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]


def _bit(draw: st.DrawFn, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = _place(draw, data)
    return data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]


def _number(draw: st.DrawFn, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at, form = _place(draw, data), draw(st.sampled_from(_FORMS))
    size = struct.calcsize(form)
    number = draw(st.sampled_from(_NUMBERS)) & ((1 << 8 * size) - 1)
    return data[:at] + struct.pack(form, number) + data[at + size :]


def _cut(draw: st.DrawFn, data: bytes, seeds: Sequence[bytes]) -> bytes:
    return data[: _place(draw, data)]


def _remove(draw: st.DrawFn, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = _place(draw, data)
    return data[:at] + data[at + draw(st.integers(1, 64)) :]


def _repeat(draw: st.DrawFn, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at, size = _place(draw, data), draw(st.integers(1, 64))
    return data[:at] + data[at : at + size] * draw(st.integers(2, 20)) + data[at + size :]


def _insert(draw: st.DrawFn, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = _place(draw, data)
    return data[:at] + draw(st.binary(min_size=1, max_size=64)) + data[at:]


def _splice(draw: st.DrawFn, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = draw(st.sampled_from([seed for seed in seeds if seed]))
    return data[: _place(draw, data)] + other[_place(draw, other) :]


def _grow(draw: st.DrawFn, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """A run of up to 16 MiB: what looks for the next marker byte by byte, looks for long."""
    at, pattern = _place(draw, data), draw(st.binary(min_size=1, max_size=8))
    return data[:at] + pattern * (draw(st.sampled_from((1 << 16, 1 << 20, 1 << 24))) // len(pattern)) + data[at:]


_KINDS: tuple[Callable[[st.DrawFn, bytes, Sequence[bytes]], bytes], ...] = (
    _byte,
    _bit,
    _number,
    _number,
    _cut,
    _remove,
    _repeat,
    _insert,
    _splice,
    _grow,
)

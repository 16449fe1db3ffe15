"""Matrix colour profiles (ICC.1:2004, version 2) made by code, and what their colours are in sRGB."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

#: colorants (columns R, G, B; rows X, Y, Z) adapted to D50, as profiles state them
DISPLAY_P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
_D50 = (0.96420, 1.0, 0.82491)
_GAMMA_8_8 = 563  # 2.2 in u8Fixed8


def matrix_profile(colorants: NDArray[np.float64], transfer: int | None = None) -> bytes:
    """An RGB display profile of these colorants and gamma 2.2; with a tag cicp of the ``transfer`` function."""
    text = b"made by a test"
    curve = struct.pack(">4sIIH2x", b"curv", 0, 1, _GAMMA_8_8)
    tags = {
        b"desc": struct.pack(">4sII", b"desc", 0, len(text) + 1) + text + bytes(1 + 4 + 4 + 2 + 1 + 67),
        b"cprt": struct.pack(">4sI", b"text", 0) + text + b"\0",
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(colorants[:, 0]),
        b"gXYZ": _xyz(colorants[:, 1]),
        b"bXYZ": _xyz(colorants[:, 2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    if transfer is not None:
        tags[b"cicp"] = struct.pack(">4sI4B", b"cicp", 0, 9, transfer, 0, 1)
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    curve = struct.pack(">4sIIH2x", b"curv", 0, 1, round(gamma * 256))
    text = b"grey"
    tags = {
        b"desc": struct.pack(">4sII", b"desc", 0, len(text) + 1) + text + bytes(1 + 4 + 4 + 2 + 1 + 67),
        b"cprt": struct.pack(">4sI", b"text", 0) + text + b"\0",
        b"wtpt": _xyz(_D50),
        b"kTRC": curve,
    }
    return _profile(b"GRAY", tags)


def in_srgb(colour: tuple[int, int, int], colorants: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB 0–255 of a colour stored under ``matrix_profile(colorants)``."""
    linear = (np.array(colour) / 255) ** (_GAMMA_8_8 / 256)
    wanted = np.clip(np.linalg.solve(SRGB, colorants @ linear), 0, 1)
    return 255 * np.where(wanted <= 0.0031308, 12.92 * wanted, 1.055 * wanted ** (1 / 2.4) - 0.055)


def _xyz(values: object) -> bytes:
    fixed = [round(float(v) * 65536) for v in np.asarray(values)]
    return struct.pack(">4sI3i", b"XYZ ", 0, *fixed)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += padded
    size = offset + len(body)
    d50 = struct.pack(">3i", *(round(v * 65536) for v in _D50))
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"lcms", 0x02400000, b"mntr", space, b"XYZ ", bytes(12), b"acsp")
    return header.ljust(68, b"\0") + d50 + bytes(48) + table + body

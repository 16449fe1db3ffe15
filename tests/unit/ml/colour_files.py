"""One picture of skin colours, stored in other colour encodings than sRGB, each stated the way a file of its kind does.

Matrices and curves are those that the encodings' standards print, not the service's own.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.values import RGB
from tests.unit.ml.photo_files import save

Floats = NDArray[np.float64]

#: skin from pale to dark, and greys
COLOURS = (
    (241, 214, 196),
    (198, 150, 128),
    (141, 96, 76),
    (90, 60, 50),
    (52, 34, 28),
    (128, 128, 128),
    (236, 236, 236),
)
# Linear sRGB to the linear light of other primaries, as published (BT.2020's in ITU-R BT.2087).
TO_P3 = np.array([[0.82246, 0.17754, 0.0], [0.03319, 0.96681, 0.0], [0.01708, 0.07240, 0.91052]])
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_ADOBE = np.array([[0.71512, 0.28488, 0.0], [0.0, 1.0, 0.0], [0.0, 0.04116, 0.95884]])
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
D65 = (0.3127, 0.3290)


def picture() -> RGB:
    """COLOURS in bars, 16 pixels each: (96, 112, 3)."""
    return np.repeat(np.repeat(np.array([COLOURS], np.uint8), 96, axis=0), 16, axis=1)


def far_from_picture(rgb: RGB) -> float:
    """The largest difference, 0–255, of a bar's mean colour well inside it."""
    bars = rgb.reshape(96, len(COLOURS), 16, 3)[8:-8, :, 4:-4].astype(float).mean(axis=(0, 2))
    return float(np.abs(bars - np.array(COLOURS)).max())


def linear() -> Floats:
    codes = picture() / 255
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def srgb_curve(light: Floats) -> Floats:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def gamma(exponent: float) -> Callable[[Floats], Floats]:
    return lambda light: light ** (1 / exponent)


def bt709_curve(light: Floats) -> Floats:
    return np.where(light < 0.018, 4.5 * light, 1.099 * light**0.45 - 0.099)


def pq_curve(light: Floats) -> Floats:
    """White at 203 cd/m²."""
    power = (light * 203 / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg_curve(light: Floats) -> Floats:
    """Of BT.2020's light, on a display of 1000 cd/m² whose white of 203 is 1."""
    shown = light * 0.203
    luminance = np.maximum(shown @ np.array([0.2627, 0.6780, 0.0593]), 1e-6)
    scene = shown * (luminance ** (1 / 1.2 - 1))[..., None]
    bright = 0.17883277 * np.log(np.maximum(12 * scene, 1) - 0.28466892) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def stored(curve: Callable[[Floats], Floats], matrix: Floats | None = None, top: int = 255) -> NDArray[np.uint16]:
    """``picture`` in the encoding of ``curve`` and of primaries that ``matrix`` leads to."""
    light = linear() if matrix is None else np.clip(linear() @ matrix.T, 0, 1)
    return np.rint(np.clip(curve(light), 0, 1) * top).astype(np.uint16)


def png_of(codes: NDArray[np.uint16], *chunks: tuple[bytes, bytes], bits: int = 8) -> bytes:
    """A PNG with these ``chunks`` before its pixels."""
    height, width = codes.shape[:2]
    samples = codes.astype(">u2" if bits == 16 else np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def gama(exponent: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(1e5 / exponent))


def chrm(corners: tuple[tuple[float, float], ...], white: tuple[float, float] = D65) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(1e5 * value) for point in (white, *corners) for value in point))


def cicp(primaries: int, transfer: int, full: int = 1) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, 0, full])


def avif_of(codes: NDArray[np.uint16], primaries: int, transfer: int) -> bytes:
    """Pillow states sRGB in every AVIF: the box that says so is written over."""
    data = save(codes.astype(np.uint8), "AVIF", quality=98, subsampling="4:4:4")
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def exif_of(index: bytes = b"R03", space: int = 65535, *, nested: bool = True) -> bytes:
    """EXIF with an interoperability ``index``, below the EXIF directory (``nested``) or none, and a colour space."""
    interop = struct.pack("<HHHI4sI", 1, 1, 2, 4, index + b"\0", 0)
    entries = struct.pack("<HHIHH", 0xA001, 3, 1, space, 0)
    count = 1
    if nested:
        entries += struct.pack("<HHII", 0xA005, 4, 1, 26 + 2 + 24 + 4)
        count = 2
    first = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 26, 0)
    return b"Exif\0\0" + first + struct.pack("<H", count) + entries + bytes(4) + (interop if nested else b"")


def photo(codes: NDArray[np.uint16]) -> Image.Image:
    return Image.fromarray(codes.astype(np.uint8))

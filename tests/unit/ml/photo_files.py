"""Photo files made by code: one asymmetric picture in any format, orientation, profile or pixel mode."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from ml.values import RGB

#: the four corners of the picture, all different, so that no turn or mirroring goes unseen
CORNERS = {
    "top left": (200, 60, 50),
    "top right": (60, 180, 70),
    "bottom left": (60, 80, 190),
    "bottom right": (230, 200, 90),
}

#: EXIF orientation → the visual sides that the stored picture's first row and first column are (EXIF 2.32, tag 274)
FIRST_ROW = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "right", 7: "right", 8: "left"}
FIRST_COLUMN = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"}


def quadrants(width: int = 96, height: int = 64) -> RGB:
    """A picture of four flat quarters, coloured as CORNERS."""
    top = [CORNERS["top left"], CORNERS["top right"]]
    bottom = [CORNERS["bottom left"], CORNERS["bottom right"]]
    quarters = np.array([top, bottom], np.uint8)
    rows = (np.arange(height) * 2 // height)[:, None]
    return quarters[rows, (np.arange(width) * 2 // width)[None, :]]


def corners(rgb: RGB) -> dict[str, tuple[int, ...]]:
    """The mean colour well inside each quarter."""
    height, width = rgb.shape[:2]
    found = {}
    for name in CORNERS:
        rows = slice(height // 8, 3 * height // 8) if "top" in name else slice(5 * height // 8, 7 * height // 8)
        columns = slice(width // 8, 3 * width // 8) if "left" in name else slice(5 * width // 8, 7 * width // 8)
        found[name] = tuple(round(float(v)) for v in rgb[rows, columns].reshape(-1, 3).mean(axis=0))
    return found


def far_from_upright(rgb: RGB) -> int:
    """The largest difference of any corner's colour from the upright picture's, 0–255."""
    found = corners(rgb)
    return max(abs(a - b) for name, colour in CORNERS.items() for a, b in zip(found[name], colour, strict=True))


def stored_in(orientation: int, upright: RGB) -> RGB:
    """What a camera that writes this EXIF orientation stores of ``upright``."""
    stored = upright if FIRST_ROW[orientation] in ("top", "bottom") else upright.transpose(1, 0, 2)
    if FIRST_ROW[orientation] in ("bottom", "right"):
        stored = stored[::-1]
    if FIRST_COLUMN[orientation] in ("right", "bottom"):
        stored = stored[:, ::-1]
    return np.ascontiguousarray(stored)


def orientation_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_text(text: str) -> PngImagePlugin.PngInfo:
    """Chunks of a PNG file that say ``text``: a plain one and an international one."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", text)
    info.add_itxt("Comment", text)
    return info


def save(image: Image.Image | NDArray[Any], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int, height: int, seed: int = 0) -> RGB:
    """Something that does not compress, so that a file's pixels fill it evenly."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(width: int, height: int, *, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG from raw rows (each led by its filter byte); Pillow itself writes only some kinds."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows)) if rows else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def tiff(width: int, height: int, *, bits: int, data: bytes, photometric: int = 1, sample_format: int = 1) -> bytes:
    """A little-endian greyscale TIFF of one uncompressed strip."""
    entries = [(256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric)]
    entries += [(273, 4, 0), (277, 3, 1), (278, 3, height), (279, 4, len(data)), (339, 3, sample_format)]
    offset = 8 + 2 + 12 * len(entries) + 4
    fields = [(tag, kind, offset if tag == 273 else value) for tag, kind, value in entries]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in fields)
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + body + struct.pack("<I", 0) + data

"""Reads the colour encoding that a file states without an ICC profile.

PNG (third edition): cICP, sRGB, gAMA and cHRM, in this order of precedence. HEIF and AVIF: nclx. Any file: EXIF's
interoperability index R03, which means Adobe RGB (DCF 2.0), and the tags for primaries and transfer function that EXIF
shares with TIFF.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from ml.imaging.encodings import ADOBE_RGB, BT709, PRIMARIES, TRANSFERS, Encoding, Primaries, Transfer, power, srgb

#: code points of H.273 that are reserved or unspecified; browsers then assume sRGB
_UNSPECIFIED = (0, 2, 3)
#: With these primaries, a video transfer function means sRGB in practice: encoders write it without converting.
_OF_VIDEO = (0, 1, 2, 3, 5, 6, 7)
_TRANSFERS_OF_VIDEO = (1, 6, 11, 12, 14, 15)

_EXIF_IFD, _INTEROP_IFD = 0x8769, 0xA005
_INTEROP_INDEX, _COLOUR_SPACE, _GAMMA = 0x0001, 0xA001, 0xA500
_TRANSFER_FUNCTION, _WHITE_POINT, _PRIMARY_CHROMATICITIES = 301, 318, 319
_SRGB, _ADOBE_RGB = 1, 2  # EXIF's colour space; no standard has 2, but some cameras write it

#: PNG's cICP chunk, with its length
_CICP = re.compile(rb"\0\0\0\x04cICP(.{4})", re.DOTALL)
#: an exponent in this range, with sRGB's primaries, means sRGB's transfer function
_LIKE_SRGB = (2.15, 2.25)
_POSSIBLE = (0.2, 5.0)  # exponents outside are errors
_SAME_POINT = 0.002  # chromaticities that differ by less are the same


@dataclass(frozen=True)
class Stated:
    """What a file states. ``encoding``: None for sRGB. ``known``: False if the encoding is not supported.
    ``over_icc``: the statement takes precedence over an ICC profile."""

    encoding: Encoding | None = None
    known: bool = True
    over_icc: bool = False


def stated_colours(image: Image.Image, data: bytes) -> Stated | None:
    """The encoding that ``image``, loaded from ``data``, states. None if there is no valid statement."""
    for read in (_READERS.get(str(image.format), _by_exif), _by_exif):
        try:
            stated = read(image, data)
            if stated is not None:
                if stated.encoding is not None:
                    stated.encoding.primaries.to_srgb()  # raises ValueError for impossible ones
                return stated
        except Exception:  # noqa: BLE001, S112 - broken metadata raises almost anything, and the photo is fine without it
            continue
    return None


def _by_code_points(primaries: int, transfer: int, *, narrow: bool = False, over_icc: bool = False) -> Stated:
    """The encoding that H.273 code points mean."""
    if primaries in _OF_VIDEO and transfer in _TRANSFERS_OF_VIDEO:
        transfer = 13
    colours = BT709 if primaries in _UNSPECIFIED else PRIMARIES.get(primaries)
    curve = srgb if transfer in _UNSPECIFIED else TRANSFERS.get(transfer)
    if colours is None or curve is None:
        return Stated(known=False, over_icc=over_icc)
    if colours == BT709 and curve is srgb and not narrow:
        return Stated(over_icc=over_icc)
    return Stated(Encoding(colours, curve, narrow), over_icc=over_icc)


def _by_png(image: Image.Image, data: bytes) -> Stated | None:
    cicp = _CICP.search(data, 0, data.find(b"IDAT"))  # Pillow does not read this chunk
    if cicp:
        primaries, transfer, _, full = cicp[1]
        return _by_code_points(primaries, transfer, narrow=not full, over_icc=True)
    if "srgb" in image.info:
        return Stated()
    gamma, corners = image.info.get("gamma"), image.info.get("chromaticity")
    if not gamma and corners is None:
        return None
    return _calibrated(_primaries(corners[:2], corners[2:]) if corners else None, 1 / gamma if gamma else None)


def _by_nclx(image: Image.Image, data: bytes) -> Stated | None:
    """Primaries and transfer function from nclx. The decoders have already applied its matrix and range.

    Pillow's AVIF reader does not report nclx, so pillow_heif reads it.
    """
    opened = pillow_heif.open_heif(data) if image.format == "AVIF" else image
    nclx = opened.info.get("nclx_profile")
    return nclx and _by_code_points(int(nclx["color_primaries"]), int(nclx["transfer_characteristics"]))


def _by_exif(image: Image.Image, _data: bytes) -> Stated | None:
    exif = image.getexif()
    details, interop = exif.get_ifd(_EXIF_IFD), exif.get_ifd(_INTEROP_IFD)
    space = details.get(_COLOUR_SPACE)
    if space == _SRGB:
        return Stated()
    index = interop.get(_INTEROP_INDEX, "")
    text = index.decode("latin-1") if isinstance(index, bytes) else str(index)
    if text.startswith("R03") or space == _ADOBE_RGB:
        return Stated(Encoding(ADOBE_RGB, power(563 / 256)))  # Adobe RGB (1998), 4.3.4.2
    corners = exif.get(_PRIMARY_CHROMATICITIES)
    white = exif.get(_WHITE_POINT, BT709.white)
    table = exif.get(_TRANSFER_FUNCTION)
    gamma = details.get(_GAMMA)
    if not (corners or table or gamma):
        return None
    primaries = _primaries(white, corners) if corners else None
    if table:
        return Stated(Encoding(primaries or BT709, _tabulated(table)))
    return _calibrated(primaries, float(gamma) if gamma else None)


def _primaries(white: Any, corners: Any) -> Primaries:
    (rx, ry, gx, gy, bx, by), (x, y) = map(float, corners), map(float, white)
    return Primaries((rx, ry), (gx, gy), (bx, by), (x, y))


def _calibrated(primaries: Primaries | None, exponent: float | None) -> Stated:
    """The encoding with these ``primaries`` and the transfer function codes^``exponent``. None means sRGB's."""
    if primaries is not None and np.abs(np.subtract(astuple(primaries), astuple(BT709))).max() < _SAME_POINT:
        primaries = None
    if exponent is not None and not _POSSIBLE[0] <= exponent <= _POSSIBLE[1]:
        exponent = None
    if primaries is None and exponent is not None and _LIKE_SRGB[0] <= exponent <= _LIKE_SRGB[1]:
        exponent = None
    if primaries is None and exponent is None:
        return Stated()
    return Stated(Encoding(primaries or BT709, srgb if exponent is None else power(exponent)))


def _tabulated(table: Any) -> Transfer:
    """TIFF's TransferFunction: the 16-bit linear light of each code. Of three tables, green's is used."""
    values = np.asarray(table, np.float64) / 65535
    if len(values) % 3 == 0:
        values = values[len(values) // 3 : 2 * len(values) // 3]
    if len(values) < 2:
        raise ValueError("no transfer function")
    places = np.linspace(0, 1, len(values))
    return lambda codes: np.asarray(np.interp(codes, places, values), np.float64)


_READERS: dict[str, Callable[[Image.Image, bytes], Stated | None]] = {
    "PNG": _by_png,
    "HEIF": _by_nclx,
    "AVIF": _by_nclx,
}

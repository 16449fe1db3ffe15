"""Colour encodings (primaries and transfer functions) and their conversion to sRGB.

Supported are the code points of ITU-T H.273 (used by nclx in HEIF and AVIF and by cICP in PNG), Adobe RGB (1998), and
primaries and transfer functions that a file defines itself. White points are adapted by Bradford's matrix, as in ICC
profiles.

High dynamic range is scaled so that its reference white, 203 cd/m², becomes sRGB's white: the inverse of the direct
mapping in ITU-R BT.2408-7, 5.1. Colours brighter than the reference white are clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import RGB

Floats = NDArray[np.float64]
#: codes, 0–1 → linear light, in which white is 1
Transfer = Callable[[Floats], Floats]
Point = tuple[float, float]

_REFERENCE_WHITE = 203.0  # cd/m², ITU-R BT.2408-7, table 1
_PQ_PEAK = 10_000.0  # cd/m², ITU-R BT.2100-2, table 4
_HLG_PEAK, _HLG_GAMMA = 1_000.0, 1.2  # cd/m² and the system gamma there, ITU-R BT.2100-2, table 5
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_ROWS = 256  # rows that are converted in one step, to limit memory
_STEPS = 4095  # sRGB codes are looked up by the square root of linear light, quantised to so many steps


@dataclass(frozen=True)
class Primaries:
    """CIE 1931 chromaticities (x, y)."""

    red: Point
    green: Point
    blue: Point
    white: Point

    def to_xyz(self) -> Floats:
        """The matrix (3, 3) from linear R, G, B to XYZ, with Y = 1 for white (SMPTE RP 177).

        Raises ValueError for impossible primaries.
        """
        corners = np.array([_xyz(point) for point in (self.red, self.green, self.blue)]).T
        try:
            shares = np.linalg.solve(corners, _xyz(self.white))
        except np.linalg.LinAlgError as error:
            raise ValueError("the primaries lie on a line") from error
        if not 0.01 < shares.min() <= shares.max() < 100:
            raise ValueError("the white lies outside the primaries")
        return np.asarray(corners * shares, np.float64)

    def to_srgb(self) -> Floats:
        """The matrix (3, 3) from linear R, G, B to linear sRGB. It maps white to white. Raises ValueError as ``to_xyz``
        does."""
        own, wanted = (_BRADFORD @ _xyz(white) for white in (self.white, BT709.white))
        adapted = np.linalg.solve(_BRADFORD, np.diag(wanted / own) @ _BRADFORD)
        return np.asarray(np.linalg.solve(BT709.to_xyz(), adapted @ self.to_xyz()), np.float64)


def _xyz(point: Point) -> Floats:
    x, y = point
    if not (0 <= x <= 1 and 0 < y <= 1):
        raise ValueError("a chromaticity is out of range")
    return np.array([x / y, 1.0, (1 - x - y) / y])


_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
BT709 = Primaries((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)
ADOBE_RGB = Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
_BT601_525 = Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
#: H.273, table 2. XYZ (10) is left out: no photo uses it.
PRIMARIES = {
    1: BT709,
    4: Primaries((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: _BT601_525,
    7: _BT601_525,
    8: Primaries((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: Primaries((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}


def srgb(codes: Floats) -> Floats:
    """Linear light, 0–1, of sRGB codes, 0–1, of any shape (IEC 61966-2-1)."""
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def power(exponent: float) -> Transfer:
    """The transfer function codes^``exponent``."""
    return lambda codes: codes**exponent


def _bt709(codes: Floats) -> Floats:
    alpha, beta = 1.09929682680944, 0.018053968510807
    return np.where(codes < 4.5 * beta, codes / 4.5, ((codes + alpha - 1) / alpha) ** (1 / 0.45))


def _smpte_240m(codes: Floats) -> Floats:
    return np.where(codes < 0.0913, codes / 4, ((codes + 0.1115) / 1.1115) ** (1 / 0.45))


def _pq(codes: Floats) -> Floats:
    """ITU-R BT.2100-2, table 4, as a multiple of the reference white."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = codes ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return np.asarray(light * (_PQ_PEAK / _REFERENCE_WHITE), np.float64)


def _hlg(codes: Floats) -> Floats:
    """Scene light, ITU-R BT.2100-2, table 5. ``Encoding`` converts it to display light."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)


#: H.273, table 3. The logarithmic functions (9, 10) are left out: only video uses them.
TRANSFERS: dict[int, Transfer] = {
    1: _bt709,
    4: power(2.2),
    5: power(2.8),
    6: _bt709,
    7: _smpte_240m,
    8: power(1.0),
    11: _bt709,
    12: _bt709,
    13: srgb,
    14: _bt709,
    15: _bt709,
    16: _pq,
    17: lambda codes: codes**2.6 * (52.37 / 48),
    18: _hlg,
}


@dataclass(frozen=True)
class Encoding:
    """``narrow``: the narrow (video) range, in which black is 16/255 and white is 235/255."""

    primaries: Primaries = BT709
    transfer: Transfer = srgb
    narrow: bool = False

    @property
    def is_hdr(self) -> bool:
        """Whether the dynamic range is high. The brightness of white is then unknown."""
        return self.transfer in (_pq, _hlg)

    def to_srgb(self, codes: NDArray[np.uint8] | NDArray[np.uint16]) -> RGB:
        """Convert pixels (H, W, 3) of 8 or 16 bits to 8-bit sRGB. Colours outside sRGB are clipped.

        Raises ValueError for impossible primaries.
        """
        table = self._table(int(np.iinfo(codes.dtype).max))
        matrix = self.primaries.to_srgb()
        converted = np.empty(codes.shape, np.uint8)
        for top in range(0, len(codes), _ROWS):
            light = self._display_light(table[codes[top : top + _ROWS]])
            converted[top : top + _ROWS] = _encoded(cv2.transform(light, matrix))
        return converted

    def _table(self, top: int) -> NDArray[np.float32]:
        levels = np.arange(top + 1) / top
        if self.narrow:
            levels = np.clip((levels * 255 - 16) / 219, 0, 1)
        return np.asarray(self.transfer(levels), np.float32)

    def _display_light(self, light: NDArray[np.float32]) -> NDArray[np.float32]:
        """Apply the OOTF of BT.2100 to HLG, whose codes state scene light. Other encodings state display light."""
        if self.transfer is not _hlg:
            return light
        luminance = np.maximum(light @ self.primaries.to_xyz()[1].astype(np.float32), 1e-9)
        gain = luminance ** np.float32(_HLG_GAMMA - 1) * np.float32(_HLG_PEAK / _REFERENCE_WHITE)
        return np.asarray(light * gain[..., None], np.float32)


def linear_to_srgb(linear: NDArray[np.floating]) -> RGB:
    """The nearest sRGB codes, 0–255, of linear light of any shape, clipped to 0–1 (IEC 61966-2-1)."""
    clipped = np.clip(linear, 0, 1)
    encoded = np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(encoded * 255), np.uint8)


def _encoded(linear: cv2.typing.MatLike) -> RGB:
    """``linear_to_srgb`` by a look-up table, because computing a power for each value is slow."""
    roots = np.sqrt(np.clip(linear, 0, 1))
    return np.asarray(_SRGB_OF_ROOT[np.rint(roots * _STEPS).astype(np.int16)], np.uint8)


_SRGB_OF_ROOT = linear_to_srgb((np.arange(_STEPS + 1) / _STEPS) ** 2)

"""Decodes the first frame of a DICOM file into sRGB pixels (DICOM PS3.3, C.7.6.3; PS3.5, 8 and annexes A and G).

The planes of the colours are reduced one by one, so that there is never a second copy of all pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from ml.imaging.colour import in_srgb
from ml.imaging.integrity import was_overwritten
from ml.imaging.jpeg import check_cost, decode_jpeg, read_layout
from ml.imaging.jpeg2000 import open_jpeg2000, read_codestream
from ml.imaging.limits import BoundedReads, in_turn
from ml.imaging.reduce import shrink
from ml.values import Photo, Problem

#: ways in which pixels are coded
NATIVE, RLE, JPEG, JPEG_2000 = "native", "rle", "jpeg", "jpeg2000"
#: photometric interpretations that need a conversion
PALETTE, YBR_FULL, YBR_422 = "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422"
_INVERTED = "MONOCHROME1"

_BYTES_OF_A_PIXEL = 4
#: a number of segments, and their offsets (PS3.5, G.5)
_RLE_HEADER = "<16I"
#: JPEG's marker of Adobe's encoders, which says that the samples are red, green and blue
_IS_RGB = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
_JPEG_START = b"\xff\xd8"
#: a window of one value shows lower ones as black and higher ones as white
_NARROWEST = 1e-6
_ONE_FRAME = "The DICOM file has {frames} frames. Only the first one was analysed."

Plane = NDArray[np.unsignedinteger]
Codes = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Palette:
    """The 8-bit codes of one colour. ``first``: the pixel value of the first code. Lower values have the first code,
    and values above the table have the last one."""

    first: int
    codes: Codes


@dataclass(frozen=True)
class Window:
    """The values that are shown from black to white. ``function``: LINEAR, LINEAR_EXACT or SIGMOID (PS3.3,
    C.11.2.1)."""

    centre: float
    width: float
    function: str

    def shown(self, values: Floats) -> Floats:
        """The brightness of ``values``. What is below 0 is black, and what is above 1 is white."""
        if self.function == "SIGMOID":
            return 1 / (1 + np.exp(-4 * (values - self.centre) / self.width))
        if self.function == "LINEAR_EXACT":
            return (values - self.centre) / self.width + 0.5
        return (values - self.centre + 0.5) / max(self.width - 1, _NARROWEST) + 0.5


@dataclass(frozen=True, repr=False)
class Dicom:
    """How the first of ``frames`` frames is stored. ``load`` returns its bytes, or raises any exception if it is
    damaged.

    ``coding``: NATIVE, RLE, JPEG or JPEG_2000. ``samples``: of a pixel, 1 or 3. ``by_plane``: each colour's samples are
    together, not each pixel's. ``bits_allocated``: 8 or 16, in which the value has ``bits_stored`` bits up to
    ``high_bit``. ``signed``: the value is in two's complement. ``swapped``: each two bytes are exchanged. ``rescale``:
    slope and intercept, which the values of ``window`` need. ``palette``: of red, green and blue; empty without one.
    ``profile``: the ICC profile. ``modality``, ``pixels_per_mm``: as in ml.values.Photo.
    """

    width: int
    height: int
    frames: int
    coding: str
    samples: int
    photometric: str
    by_plane: bool
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    big_endian: bool
    swapped: bool
    window: Window | None
    rescale: tuple[float, float]
    palette: tuple[Palette, ...]
    profile: bytes | None
    modality: str | None
    pixels_per_mm: float | None
    load: Callable[[], bytes]


def decode_frame(dicom: Dicom, side: int) -> Photo:
    """The photo, with at most ``side`` pixels on its longest side. Raises any exception if the pixels are damaged, and
    ImageError if they need too much memory."""
    if dicom.coding == JPEG:
        rgb, kept, problems, doubts = _from_jpeg(dicom, side)
    else:
        with in_turn(dicom.width * dicom.height * _BYTES_OF_A_PIXEL):
            image = _from_planes(dicom, side)
        rgb, doubts = in_srgb(image, image, b"")
        kept, problems = 1.0, ()
    return Photo(
        np.ascontiguousarray(np.asarray(rgb)),
        dicom.width,
        round(dicom.height * kept),
        "DICOM",
        (*problems, *doubts),
        true_colours=not doubts,
        notes=(_ONE_FRAME.format(frames=dicom.frames),) if dicom.frames > 1 else (),
        modality=dicom.modality,
        pixels_per_mm=dicom.pixels_per_mm,
    )


def _from_jpeg(dicom: Dicom, side: int) -> tuple[Image.Image, float, tuple[Problem, ...], tuple[Problem, ...]]:
    """(sRGB pixels, share of rows that is left, damage, doubts about colours) of a JPEG, which is checked and reduced
    like a JPEG file."""
    data = dicom.load()
    image = JpegImageFile(BoundedReads(data))
    if dicom.photometric == "RGB" and not {"jfif", "adobe_transform"} & image.info.keys():
        # JPEG alone does not say which colours it has, and decoders then take it for YCbCr.
        data = _JPEG_START + _IS_RGB + data.removeprefix(_JPEG_START)
        image = JpegImageFile(BoundedReads(data))
    if image.size != (dicom.width, dicom.height) or image.mode != ("L" if dicom.samples == 1 else "RGB"):
        raise ValueError("the JPEG is not what the header states")
    layout = read_layout(image, data)
    check_cost(layout, data)
    with in_turn(layout.coefficient_bytes):
        found = decode_jpeg(image, data, layout)
        pixels = shrink(found.pixels, side)
    if pixels.mode == "L":
        pixels = pixels.point(_grey_codes(replace(dicom, bits_allocated=8, high_bit=7)).tolist())
    if dicom.profile:
        image.info["icc_profile"] = dicom.profile
    pixels.info = dict(image.info)
    rgb, doubts = in_srgb(image, pixels, data)
    return rgb, found.kept, found.problems, doubts


def _from_planes(dicom: Dicom, side: int) -> Image.Image:
    """The pixels as mode L or RGB, not yet in sRGB."""
    read = {NATIVE: _native_planes, RLE: _rle_planes, JPEG_2000: _jpeg2000_planes}[dicom.coding]
    stored, planes = read(dicom, dicom.load())
    if dicom.photometric == PALETTE:
        (indices,) = planes
        colours = [shrink(_palette_codes(stored, one)[indices], side) for one in dicom.palette]
    elif dicom.samples == 1:
        (greys,) = planes
        colours = [shrink(_grey_codes(stored)[greys], side)]
    else:
        colours = [shrink(_eight_bits(stored, plane), side) for plane in planes]
    image = colours[0]
    if len(colours) == 3:
        image = Image.merge("YCbCr" if dicom.photometric in (YBR_FULL, YBR_422) else "RGB", colours).convert("RGB")
    image.info = {"icc_profile": dicom.profile} if dicom.profile else {}
    return image


def _native_planes(dicom: Dicom, data: bytes) -> tuple[Dicom, Iterable[Plane]]:
    """How the samples are stored, and those of each colour (height, width)."""
    width, height, samples = dicom.width, dicom.height, dicom.samples
    if dicom.swapped:
        data = np.frombuffer(data, np.uint16).byteswap().tobytes()
    kind: np.dtype[np.unsignedinteger] = np.dtype(
        "u1" if dicom.bits_allocated == 8 else ">u2" if dicom.big_endian else "<u2"
    )
    if dicom.photometric == YBR_422:
        pairs = np.frombuffer(data, kind, width * height * 2).reshape(height, width // 2, 4)  # Y, Y, Cb, Cr
        return dicom, (pairs[..., :2].reshape(height, width), *(pairs[..., at].repeat(2, axis=1) for at in (2, 3)))
    cells = np.frombuffer(data, kind, width * height * samples)
    if dicom.by_plane:
        return dicom, cells.reshape(samples, height, width)
    checked = kind.itemsize == 1 and dicom.photometric != PALETTE
    if checked and was_overwritten(data, 0, height, width * samples, samples):
        raise ValueError("pixels were overwritten")
    return dicom, np.moveaxis(cells.reshape(height, width, samples), 2, 0)


def _rle_planes(dicom: Dicom, data: bytes) -> tuple[Dicom, Iterable[Plane]]:
    """As _native_planes. A segment has one byte of each sample, and the highest byte's segment is the first one."""
    count, *offsets = struct.unpack_from(_RLE_HEADER, data)
    of_sample = dicom.bits_allocated // 8
    if count != dicom.samples * of_sample:
        raise ValueError("the number of segments is wrong")
    segments = [data[start:end] for start, end in pairwise([*offsets[:count], len(data)])]
    size = dicom.width * dicom.height
    # Pillow ends a run at the end of a row, so all pixels are one row: some writers do not.
    unpacked = (np.asarray(Image.frombytes("L", (size, 1), one, "packbits", "L")) for one in segments)
    parts = (one.reshape(dicom.height, dicom.width) for one in unpacked)
    if of_sample == 1:
        return dicom, parts
    return dicom, (high.astype(np.uint16) << 8 | low for high, low in zip(parts, parts, strict=True))


def _jpeg2000_planes(dicom: Dicom, data: bytes) -> tuple[Dicom, Iterable[Plane]]:
    """As _native_planes. The planes may be reduced. Pillow's samples have 8 or 16 bits, of which the highest are used,
    and colours have 8 bits."""
    stream = read_codestream(data)
    if (stream.width, stream.height, stream.components) != (dicom.width, dicom.height, dicom.samples):
        raise ValueError("the JPEG 2000 data are not what the header states")
    image = open_jpeg2000(stream, whole=dicom.photometric == PALETTE)
    pixels: Plane = np.asarray(image)
    if dicom.samples == 3:
        return replace(dicom, bits_allocated=8, bits_stored=8, high_bit=7, signed=False), np.moveaxis(pixels, 2, 0)
    bits = 8 * pixels.itemsize
    cells = pixels >> pixels.dtype.type(bits - stream.bits)
    if stream.signed:  # Pillow adds half of the range
        cells = cells ^ cells.dtype.type(1 << stream.bits - 1)
    depth = replace(dicom, bits_allocated=bits, bits_stored=stream.bits, high_bit=stream.bits - 1, signed=stream.signed)
    return depth, (cells,)


def _values(dicom: Dicom) -> NDArray[np.int64]:
    """The value of each possible sample, (2 ** bits_allocated,)."""
    bits = dicom.bits_stored
    values = np.arange(1 << dicom.bits_allocated) >> (dicom.high_bit + 1 - bits) & ((1 << bits) - 1)
    return values - (values >> bits - 1 << bits) if dicom.signed else values


def _full_scale(dicom: Dicom) -> Floats:
    """The share of the full scale, 0–1, of each possible sample."""
    values = _values(dicom)
    return np.asarray((values - values.min()) / ((1 << dicom.bits_stored) - 1), np.float64)


def _grey_codes(dicom: Dicom) -> Codes:
    """The 8-bit grey that each possible sample is shown as."""
    window, (slope, intercept) = dicom.window, dicom.rescale
    with np.errstate(all="ignore"):
        shown = window.shown(_values(dicom).astype(np.float64) * slope + intercept) if window else _full_scale(dicom)
    codes = np.rint(np.clip(np.nan_to_num(shown), 0, 1) * 255).astype(np.uint8)
    return 255 - codes if dicom.photometric == _INVERTED else codes


def _palette_codes(dicom: Dicom, palette: Palette) -> Codes:
    return palette.codes[np.clip(_values(dicom) - palette.first, 0, len(palette.codes) - 1)]


def _eight_bits(dicom: Dicom, plane: Plane) -> Codes:
    if plane.dtype == np.uint8 and dicom.bits_stored == 8 and not dicom.signed:
        return np.asarray(plane, np.uint8)
    return np.rint(_full_scale(dicom) * 255).astype(np.uint8)[plane]

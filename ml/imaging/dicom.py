"""Reads from a DICOM file with pydicom what decoding needs: how the pixels are stored, and where the first frame is.

The only file that imports pydicom. Only the elements in _NEEDED_META and _NEEDED are kept; none is about the patient.
pydicom logs, warns and raises errors with the values of elements, so its log and its warnings are switched off, and its
errors are not chained.
"""

from __future__ import annotations

import logging
import math
import struct
import warnings
import zlib
from dataclasses import dataclass
from functools import partial

import numpy as np
from pydicom import config, uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragmented_frames
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag, Tag

from ml.errors import DamagedImageError, ImageError, UnsupportedImageError
from ml.imaging.containers import DICOM_PREFIX, DICOM_PREFIX_AT
from ml.imaging.dicom_frame import JPEG, JPEG_2000, NATIVE, PALETTE, RLE, YBR_422, YBR_FULL, Dicom, Palette, Window
from ml.imaging.limits import MAX_OTHER_PIXELS, BoundedReads, check_size, too_large
from ml.values import DERMATOSCOPIC

logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
warnings.filterwarnings("ignore", module="pydicom")
config.settings.reading_validation_mode = config.IGNORE

#: the SOP classes of photos
_PHOTOS = {
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    uid.VLEndoscopicImageStorage,
    uid.VLPhotographicImageStorage,
    uid.VideoPhotographicImageStorage,
    uid.DermoscopicPhotographyImageStorage,
}
#: transfer syntax → coding of the pixels. A file that states none is not compressed; pydicom finds how it is written.
_CODINGS = {
    "": NATIVE,
    uid.ImplicitVRLittleEndian: NATIVE,
    uid.ExplicitVRLittleEndian: NATIVE,
    uid.ExplicitVRBigEndian: NATIVE,
    uid.DeflatedExplicitVRLittleEndian: NATIVE,
    uid.RLELossless: RLE,
    uid.JPEGBaseline8Bit: JPEG,
    uid.JPEGExtended12Bit: JPEG,
    uid.JPEG2000Lossless: JPEG_2000,
    uid.JPEG2000: JPEG_2000,
}
#: photometric interpretation → samples of a pixel
_SAMPLES = {
    **dict.fromkeys(("MONOCHROME1", "MONOCHROME2", PALETTE), 1),
    **dict.fromkeys(("RGB", YBR_FULL, YBR_422, "YBR_ICT", "YBR_RCT"), 3),
}
_TABLES = ("RedPaletteColorLookupTable", "GreenPaletteColorLookupTable", "BluePaletteColorLookupTable")
_NEEDED: list[BaseTag | int] = [
    Tag(keyword)
    for keyword in (
        *("SOPClassUID", "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
        *("PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ICCProfile"),
        *("WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleIntercept", "RescaleSlope"),
        *("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"),
        *(f"{table}{part}" for table in _TABLES for part in ("Descriptor", "Data")),
    )
]
_NEEDED_META: list[BaseTag | int] = [Tag("TransferSyntaxUID"), Tag("MediaStorageSOPClassUID")]
_META_GROUP = 0x0002
_PIXEL_DATA = 0x7FE00010
#: pixel data of floating-point numbers, and of integers
_ANY_PIXEL_DATA = (0x7FE00008, 0x7FE00009, _PIXEL_DATA)
_UNDEFINED = 0xFFFFFFFF
#: Real headers have a few hundred elements, of two or three reads each. pydicom takes up to 50 µs for a nested item.
_MOST_READS = 60_000
#: bytes of a value that is kept, such as a colour profile, and of one that is a number or a word
_LONGEST, _LONGEST_WORD = 4 << 20, 256
#: bytes of a deflated file that are inflated to read the header, and to read the first frame: 64 million pixels in RGB
_MOST_HEADER, _MOST_INFLATED = 8 << 20, 200 << 20
#: the table of offsets of more frames is not read
_MOST_FRAMES, _BYTES_OF_AN_OFFSET = 100_000, 4
#: pixels per millimetre of skin; 1 is a common placeholder, and the other limit is that of the request's field
_LEAST_PER_MM, _MOST_PER_MM = 1.0, 1000.0
_SAME_SPACING = 0.01

_DAMAGED = "The DICOM file is damaged or cut short and cannot be read. Send the original file."
_NOT_A_PHOTO = (
    "This DICOM file is not a photo. Send an image of the class VL Photographic, Dermoscopic Photography or Secondary "
    "Capture."
)
_UNREAD_SYNTAX = (
    "The pixels of this DICOM file are compressed in a way that is not read, such as JPEG-LS, lossless JPEG or video. "
    "Export the image uncompressed or as a JPEG."
)
_UNREAD_PIXELS = (
    "The pixels of this DICOM file are stored in a way that is not read. Export the image as RGB of 8 bits per sample."
)


def read_dicom(data: bytes, max_pixels: int) -> Dicom:
    """Read the header of a DICOM file. The pixels of its first frame are not read yet.

    Raises:
        UnsupportedImageError: the file is not a photo, or its pixels are stored in a way that is not read.
        ImageTooLargeError: the header states more than ``max_pixels`` pixels, or more than the coding may have.
        ImageTooSmallError: a side has too few pixels.
        DamagedImageError: the file is damaged or cut short.
    """
    try:
        return _read(data, max_pixels)
    except ImageError:
        raise
    except Exception:  # noqa: BLE001 - damage raises almost anything, and the text may quote the patient's name
        raise DamagedImageError(_DAMAGED) from None


def _read(data: bytes, max_pixels: int) -> Dicom:
    file = _opened(data)
    coding, found, place = _coding(file), file.elements, file.place
    size = width, height = found.whole("Columns"), found.whole("Rows")
    check_size(size, max_pixels, jpeg=coding == JPEG)
    samples, photometric = found.whole("SamplesPerPixel", 1), found.word("PhotometricInterpretation").upper()
    allocated, stored, high_bit = _depth(found)
    if place.tag not in (0, _PIXEL_DATA) or _SAMPLES.get(photometric) != samples:
        raise UnsupportedImageError(_UNREAD_PIXELS)
    if coding == JPEG and (stored != 8 or photometric == PALETTE):
        raise UnsupportedImageError(_UNREAD_PIXELS)
    frames = max(1, found.whole("NumberOfFrames", 1))
    length = width * height * samples * allocated // 8
    if coding == NATIVE and photometric == YBR_422:
        if place.length >= length * frames:
            photometric = YBR_FULL  # the writer has decoded a JPEG, and states how that was stored
        else:
            length = length // 3 * 2
    load = (
        partial(_native_frame, data, file.deflated_at, place, length)
        if coding == NATIVE
        else partial(_coded_frame, data, place, frames)
    )
    return Dicom(
        width=width,
        height=height,
        frames=frames,
        coding=coding,
        samples=samples,
        photometric=photometric,
        by_plane=found.whole("PlanarConfiguration", 0) == 1,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        signed=found.whole("PixelRepresentation", 0) == 1,
        big_endian=not file.little,
        swapped=not file.little and allocated == 8 and place.vr == "OW",
        window=_window(found),
        rescale=(found.number("RescaleSlope", 1.0), found.number("RescaleIntercept", 0.0)),
        palette=_palette(found, little=file.little) if photometric == PALETTE else (),
        profile=found.raw("ICCProfile") or None,
        modality=DERMATOSCOPIC if file.kind == uid.DermoscopicPhotographyImageStorage else None,
        pixels_per_mm=_pixels_per_mm(found),
        load=load,
    )


@dataclass(frozen=True)
class _File:
    """A file whose header was read. ``syntax``: the UID of its transfer syntax. ``kind``: that of its SOP class.
    ``deflated_at``: the offset of a deflated data set; None if it is not deflated."""

    syntax: str
    kind: str
    little: bool
    deflated_at: int | None
    elements: _Elements
    place: _Place


def _opened(data: bytes) -> _File:
    reads = BoundedReads(data, _MOST_READS)
    reads.seek(DICOM_PREFIX_AT + len(DICOM_PREFIX) if data.startswith(DICOM_PREFIX, DICOM_PREFIX_AT) else 0)
    meta = _Elements(
        read_dataset(reads, False, True, stop_when=_is_not_meta, defer_size=_LONGEST, specific_tags=_NEEDED_META)
    )
    syntax, deflated_at = meta.word("TransferSyntaxUID"), None
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        deflated_at = reads.tell()
        reads = BoundedReads(_inflated(data, deflated_at, _MOST_HEADER), _MOST_READS)
    implicit, little = syntax in ("", uid.ImplicitVRLittleEndian), syntax != uid.ExplicitVRBigEndian
    place = _Place(reads)
    found = _Elements(
        read_dataset(reads, implicit, little, stop_when=place, defer_size=_LONGEST, specific_tags=_NEEDED)
    )
    kind = found.word("SOPClassUID") or meta.word("MediaStorageSOPClassUID")
    return _File(syntax, kind, little, deflated_at, found, place)


def _coding(file: _File) -> str:
    """How the pixels are coded. Raises UnsupportedImageError if it is no photo, or the coding is not read."""
    if file.kind not in _PHOTOS:
        raise UnsupportedImageError(_NOT_A_PHOTO)
    coding = _CODINGS.get(file.syntax)
    if coding is None or (coding == NATIVE and file.place.length == _UNDEFINED):  # then the pixels are in fragments
        raise UnsupportedImageError(_UNREAD_SYNTAX)
    return coding


def _is_not_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag >> 16 != _META_GROUP


class _Place:
    """Stops pydicom at the pixel data and keeps where they start, and their length in bytes, or _UNDEFINED."""

    def __init__(self, reads: BoundedReads) -> None:
        self._reads = reads
        self.tag = self.start = self.length = 0
        self.vr: str | None = None

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag in _ANY_PIXEL_DATA:
            self.tag, self.vr, self.length, self.start = tag, vr, length, self._reads.tell()
        return tag in _ANY_PIXEL_DATA


class _Elements:
    """The values of a data set. A missing value that has no default raises ValueError."""

    def __init__(self, data_set: Dataset) -> None:
        self._data_set = data_set

    def raw(self, keyword: str) -> bytes:
        """The bytes of an element; empty if it is missing or longer than _LONGEST."""
        element = self._data_set.get_item(keyword, keep_deferred=True)
        value = element.value if isinstance(element, RawDataElement) else None
        return value if isinstance(value, bytes) else b""

    def numbers(self, keyword: str) -> list[float]:
        """The numbers of an element; empty if it is missing. Raises ValueError if one is not finite."""
        values = self._values(keyword)
        numbers = [float(value) for value in values]
        if not all(map(math.isfinite, numbers)):
            raise ValueError("not a number")
        return numbers

    def number(self, keyword: str, default: float | None = None) -> float:
        numbers = self.numbers(keyword)
        if numbers:
            return numbers[0]
        if default is None:
            raise ValueError("a number is missing")
        return default

    def whole(self, keyword: str, default: int | None = None) -> int:
        number = self.number(keyword, default)
        if number != int(number):
            raise ValueError("not a whole number")
        return int(number)

    def word(self, keyword: str) -> str:
        """The first text of an element; empty if it is missing."""
        return next((str(value).strip(" \0") for value in self._values(keyword)), "")

    def _values(self, keyword: str) -> list[str]:
        if not 0 < len(self.raw(keyword)) <= _LONGEST_WORD:
            return []
        value = self._data_set[keyword].value
        if isinstance(value, bytes):  # implicit VR does not tell whether the words of a palette's descriptor are signed
            value = np.frombuffer(value, "<u2").tolist()
        return [str(one) for one in ([value] if isinstance(value, str | int | float) else value or ())]


def _depth(found: _Elements) -> tuple[int, int, int]:
    """Bits allocated, bits stored and the high bit. Raises UnsupportedImageError unless 8 or 16 bits are allocated."""
    allocated = found.whole("BitsAllocated")
    stored = found.whole("BitsStored", allocated)
    high_bit = found.whole("HighBit", stored - 1)
    if allocated not in (8, 16):
        raise UnsupportedImageError(_UNREAD_PIXELS)
    if not 0 < stored <= high_bit + 1 <= allocated:
        raise ValueError("impossible bits")
    return allocated, stored, high_bit


def _window(found: _Elements) -> Window | None:
    centres, widths = found.numbers("WindowCenter"), found.numbers("WindowWidth")
    if not centres or not widths or widths[0] <= 0:
        return None
    return Window(centres[0], widths[0], found.word("VOILUTFunction").upper() or "LINEAR")


def _palette(found: _Elements, *, little: bool) -> tuple[Palette, ...]:
    """The red, green and blue codes. Raises UnsupportedImageError if they are stored in segments."""
    tables = []
    for table in _TABLES:
        descriptor, data = found.numbers(f"{table}Descriptor"), found.raw(f"{table}Data")
        if len(descriptor) != 3 or not data:
            raise UnsupportedImageError(_UNREAD_PIXELS)
        entries, first, bits = (int(number) for number in descriptor)
        entries = entries % 65536 or 65536
        if len(data) >= 2 * entries:
            codes = np.frombuffer(data, "<u2" if little else ">u2", entries) >> max(0, bits - 8)
        else:
            words = np.frombuffer(data, "<u2" if little else ">u2", -(-entries // 2))
            codes = words.astype("<u2").view(np.uint8)[:entries].astype(np.uint16)
        tables.append(Palette(first, np.minimum(codes, 255).astype(np.uint8)))
    return tuple(tables)


def _pixels_per_mm(found: _Elements) -> float | None:
    """The scale of the skin; None if it is not stated or implausible, or if a pixel is not square.

    Spacing that equals that of the sensor or of a scanned film is not the spacing on the skin (DICOM PS3.3, 10.7.1.3).
    """
    spacing = found.numbers("PixelSpacing")
    others = [found.numbers(f"{kind}PixelSpacing") for kind in ("Imager", "NominalScanned")]
    if len(spacing) != 2 or min(spacing) <= 0 or spacing in others:
        return None
    if abs(spacing[0] - spacing[1]) > _SAME_SPACING * max(spacing):
        return None
    per_mm = 2 / sum(spacing)
    return per_mm if _LEAST_PER_MM < per_mm <= _MOST_PER_MM else None


def _native_frame(data: bytes, deflated_at: int | None, place: _Place, length: int) -> bytes:
    """``length`` bytes of uncompressed pixels, and one more if that is odd, because words of two bytes may be swapped.
    Raises ValueError if the element or the file has fewer."""
    start, end = place.start, place.start + length
    if deflated_at is not None:
        if end > _MOST_INFLATED:
            raise too_large(limit=MAX_OTHER_PIXELS)
        data = _inflated(data, deflated_at, end + 1)
    if place.length < length or end > len(data):
        raise ValueError("pixels are missing")
    return data[start : end + length % 2]


def _coded_frame(data: bytes, place: _Place, frames: int) -> bytes:
    """The coded bytes of the first frame, from its fragments. Raises ValueError if there are none."""
    reads = BoundedReads(data, _MOST_READS)
    reads.seek(place.start)
    _, of_offsets = struct.unpack("<II", reads.read(8))
    if place.length != _UNDEFINED or of_offsets > _BYTES_OF_AN_OFFSET * min(frames, _MOST_FRAMES):
        raise ValueError("no fragments")
    reads.seek(place.start)
    return b"".join(next(generate_fragmented_frames(reads, number_of_frames=frames)))


def _inflated(data: bytes, at: int, most: int) -> bytes:
    """At most ``most`` bytes of the stream that starts at the offset ``at``."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(memoryview(data)[at:], most)

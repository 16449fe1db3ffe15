"""Bytes → checked RGB. The only decoder of the project.

The photo that comes out is complete, or ends where its data do and has a problem that says so. It is upright (EXIF
orientation applied), in sRGB (however the file states its colours) and without metadata. Size is checked on the header,
before any pixel is decoded.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pillow_heif
from PIL import Image, ImageFile, ImageOps

from ml.errors import DamagedImageError, EmptyImageError, UnsupportedImageError
from ml.imaging.bounded_reads import BoundedReads
from ml.imaging.colour import in_srgb
from ml.imaging.damage import Decoded, was_sent_as_text
from ml.imaging.jpeg import decode_jpeg, jpeg_memory
from ml.imaging.limits import BOMB, MAX_JPEG_PIXELS, check_size, in_turn, is_jpeg, too_large
from ml.imaging.pixel_arrays import ARRAY_MODES, ARRAYS
from ml.imaging.raw_files import is_raw
from ml.imaging.reduce import shrink, shrink_array
from ml.imaging.silent_damage import find_damage
from ml.values import Photo, Problem

#: what Pillow may open; every other decoder stays shut, whatever the bytes say (its JPEG reader opens MPO too)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
#: the longest side that analysis works on: three times what the largest measurement uses, and 12 MB of RGB
WORKING_SIDE = 2048
#: a JPEG whose half, quarter or eighth is at least this long is decoded to that: a phone's 4000 or 4032 pixels are
#: then halved while they are decoded, in a fifth of the time that decoding and averaging all of them takes
LEAST_SIDE = 1800
_BYTES_OF_A_PIXEL = 4

#: leading bytes of the allowed formats: such a file that will not open is damaged, any other is not supported
_SIGNATURES = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: the container of HEIF and AVIF holds videos too: its brand tells
_FTYP_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
_NAMES = "JPEG, PNG, WebP, GIF, BMP, TIFF, MPO, HEIF or AVIF"
_RAW = "This is a raw file: send a JPEG or HEIC of it."

Image.init()  # registers AVIF too, which Pillow otherwise looks for only after the common formats failed
pillow_heif.register_heif_opener()
# Odd metadata is no one's business: the pixels are what is judged.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")


def decode(data: bytes, *, max_pixels: int = MAX_JPEG_PIXELS) -> Photo:
    """Decode one upload.

    Returns a Photo whose ``rgb`` is at most WORKING_SIDE pixels on its longest side. The first frame of an
    animation, and the primary image of a multi-picture file, is used.

    Raises:
        EmptyImageError: no bytes.
        UnsupportedImageError: not one of FORMATS.
        ImageTooLargeError: more than ``max_pixels`` by the header, more than the format may have (MAX_JPEG_PIXELS,
            MAX_OTHER_PIXELS), or a progressive JPEG that needs too much memory.
        ImageTooSmallError: a side under MIN_SIDE pixels.
        DamagedImageError: truncated or damaged data.
    """
    if not data:
        raise EmptyImageError("The image is empty. Send the photo's bytes.")
    if is_raw(data):
        raise UnsupportedImageError(_RAW)
    with _open(data) as image:
        width, height = image.size
        check_size(image, max_pixels)
        with in_turn(_memory(image, data)):
            upright, found, doubts = _load(image, data)
        height = round(height * found.kept)
        if _orientation(image) >= 5:
            width, height = height, width
    problems = (*found.problems, *doubts)
    return Photo(upright, width, height, str(image.format), problems, true_colours=not doubts)


def _open(data: bytes) -> ImageFile.ImageFile:
    try:
        return Image.open(BoundedReads(data), formats=FORMATS)
    except BOMB as error:
        raise too_large() from error
    except Exception as error:
        if _claims_to_be_allowed(data):
            raise DamagedImageError("The image is damaged and cannot be opened. Send the original file.") from error
        raise UnsupportedImageError(f"This is not an image of a supported type. Send {_NAMES}.") from error


def _claims_to_be_allowed(data: bytes) -> bool:
    container, kind = data[:8], data[8:12]
    if container.startswith(b"RIFF"):
        return kind == b"WEBP"
    if container.endswith(b"ftyp"):
        return kind in _FTYP_BRANDS
    return data.startswith(_SIGNATURES)


def _memory(image: ImageFile.ImageFile, data: bytes) -> int:
    """Bytes, about, that decoding ``image`` takes beside its reduced pixels."""
    return jpeg_memory(image, data) if is_jpeg(image) else image.width * image.height * _BYTES_OF_A_PIXEL


def _load(image: ImageFile.ImageFile, data: bytes) -> tuple[np.ndarray, Decoded, tuple[Problem, ...]]:
    """Decode all of ``image``; returns upright RGB, what was decoded for it, and why its colours cannot be trusted."""
    try:
        if was_sent_as_text(data):
            raise OSError("the file was transferred as text")
        # JPEG decodes straight to 1/2, 1/4 or 1/8: a 200-megapixel photo then needs a sixty-fourth of the memory.
        image.draft(None, _least_size(image.size))
        found = _decoded(image, data)
        coloured, doubts = in_srgb(image, found.image, data, _bits(image))
        upright = _apply_orientation(coloured, _orientation(image))
        return np.ascontiguousarray(np.asarray(upright)), found, doubts
    except BOMB as error:
        raise too_large() from error
    except Exception as error:
        raise DamagedImageError(
            "The image is damaged or cut short and cannot be decoded completely. Send the original file."
        ) from error


def _decoded(image: ImageFile.ImageFile, data: bytes) -> Decoded:
    """``image``, which was opened from ``data``, at most WORKING_SIDE pixels long."""
    if is_jpeg(image):
        found = decode_jpeg(image, data)
        return replace(found, image=shrink(found.image, WORKING_SIDE))
    problems = find_damage(image, data)
    to_array = ARRAYS.get(str(image.format))
    if to_array and image.mode in ARRAY_MODES and not getattr(image, "is_animated", False):
        small = shrink_array(to_array(image, data), WORKING_SIDE)
        small.info = dict(image.info)
        return Decoded(small, problems)
    image.load()
    return Decoded(shrink(image, WORKING_SIDE), problems)


def _least_size(size: tuple[int, int]) -> tuple[int, int]:
    """What a decoder may reduce a photo of ``size`` to: LEAST_SIDE on its longest side."""
    scale = LEAST_SIDE / max(size)
    return max(1, math.ceil(size[0] * scale)), max(1, math.ceil(size[1] * scale))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1–8; 1 where there is none or the metadata cannot be read."""
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - broken EXIF raises almost anything, and the photo is fine without it
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _apply_orientation(image: Image.Image, orientation: int) -> Image.Image:
    if orientation == 1:
        return image
    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    exif = Image.Exif()
    exif[0x0112] = orientation
    bare.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(bare)


def _bits(image: Image.Image) -> int:
    """Bits per sample of a greyscale image deeper than eight bits (12-bit TIFFs exist); 16 if not stated."""
    tags = getattr(image, "tag_v2", None)
    stated = tags.get(258) if tags is not None else None
    return int(stated[0]) if stated else 16

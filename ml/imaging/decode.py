"""Bytes → checked RGB. The only decoder of the project.

The photo that comes out is complete (every byte was decoded), upright (EXIF orientation applied), in sRGB (whatever
way the file states its colours) and without metadata. Size is checked on the header, before any pixel is decoded.
"""

from __future__ import annotations

import math
import warnings

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageFile, ImageOps

from ml.errors import (
    DamagedImageError,
    EmptyImageError,
    ImageTooLargeError,
    ImageTooSmallError,
    UnsupportedImageError,
)
from ml.imaging.bounded_reads import BoundedReads
from ml.imaging.colour import UNKNOWN_COLOURS, in_srgb
from ml.imaging.jpeg import jpeg_pixels
from ml.imaging.raw_files import is_raw_tiff, starts_like_raw
from ml.imaging.reduce import shrink
from ml.values import Photo, Problem

#: what Pillow may open; every other decoder stays shut, whatever the bytes say (its JPEG reader opens MPO too)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
MAX_PIXELS = 40_000_000
MIN_SIDE = 32
#: the longest side that analysis works on: three times what the largest measurement uses, and 12 MB of RGB
WORKING_SIDE = 2048
#: a JPEG whose half, quarter or eighth is at least this long is decoded to that: a phone's 4000 or 4032 pixels are
#: then halved while they are decoded, in a fifth of the time that decoding and averaging all of them takes
LEAST_SIDE = 1800

#: leading bytes of the allowed formats: such a file that will not open is damaged, any other is not supported
_SIGNATURES = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: the container of HEIF and AVIF holds videos too: its brand tells
_FTYP_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
_NAMES = "JPEG, PNG, WebP, GIF, BMP, TIFF, MPO, HEIF or AVIF"
_RAW = "This is a raw file: send a JPEG or HEIC of it."

Image.init()  # registers AVIF too, which Pillow otherwise looks for only after the common formats failed
pillow_heif.register_heif_opener()
# Pillow only warns between one and two times its limit: here every excess is an error.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# Odd metadata is no one's business: the pixels are what is judged.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, min_side: int = MIN_SIDE) -> Photo:
    """Decode one upload.

    Returns a Photo whose ``rgb`` is at most WORKING_SIDE pixels on its longest side. The first frame of an
    animation, and the primary image of a multi-picture file, is used.

    Raises:
        EmptyImageError: no bytes.
        UnsupportedImageError: not one of FORMATS.
        ImageTooLargeError: more than ``max_pixels`` (at most MAX_PIXELS) by the header.
        ImageTooSmallError: a side under ``min_side`` pixels.
        DamagedImageError: truncated or damaged data.
    """
    if not data:
        raise EmptyImageError("The image is empty. Send the photo's bytes.")
    if starts_like_raw(data):
        raise UnsupportedImageError(_RAW)
    with _open(data) as image:
        if is_raw_tiff(image):
            raise UnsupportedImageError(_RAW)
        width, height = image.size
        _check_size(width, height, max_pixels, min_side)
        upright, swapped, problems = _load(image, data)
    if swapped:
        width, height = height, width
    return Photo(
        rgb=upright,
        width=width,
        height=height,
        format=str(image.format),
        problems=problems,
        true_colours=UNKNOWN_COLOURS not in problems,
    )


def _open(data: bytes) -> ImageFile.ImageFile:
    try:
        return Image.open(BoundedReads(data), formats=FORMATS)
    except _BOMB as error:
        raise _too_large(MAX_PIXELS) from error
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


def _check_size(width: int, height: int, max_pixels: int, min_side: int) -> None:
    if width * height > max_pixels:
        raise _too_large(max_pixels)
    if min(width, height) < min_side:
        raise ImageTooSmallError(
            f"The image is {width} × {height} pixels; each side must have at least {min_side}. Send a larger photo.",
            width=width,
            height=height,
            min_side=min_side,
        )


def _too_large(max_pixels: int) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"The image has more than {max_pixels / 1e6:g} million pixels. Send a smaller copy.",
        max_pixels=max_pixels,
    )


def _load(image: ImageFile.ImageFile, data: bytes) -> tuple[np.ndarray, bool, tuple[Problem, ...]]:
    """Decode all of ``image``; returns upright RGB, whether width and height changed places, and problems."""
    try:
        # JPEG decodes straight to 1/2, 1/4 or 1/8: a 36-megapixel photo then needs a sixteenth of the memory.
        image.draft(None, _least_size(image.size))
        pixels, problems = _pixels(image, data)
        small = shrink(pixels, WORKING_SIDE)
        orientation = _orientation(image)
        coloured, doubts = in_srgb(image, small, data, _bits(image))
        upright = _apply_orientation(coloured, orientation)
        return np.ascontiguousarray(np.asarray(upright)), orientation >= 5, (*problems, *doubts)
    except _BOMB as error:
        raise _too_large(MAX_PIXELS) from error
    except Exception as error:
        raise DamagedImageError(
            "The image is damaged or cut short and cannot be decoded completely. Send the original file."
        ) from error


def _pixels(image: ImageFile.ImageFile, data: bytes) -> tuple[Image.Image, tuple[Problem, ...]]:
    """All pixels of ``image``, which was opened from ``data``, and slight damage."""
    if image.format in ("JPEG", "MPO"):
        return jpeg_pixels(image, data)
    if image.format != "WEBP" or getattr(image, "is_animated", False):
        image.load()
        return image, ()
    # Pillow takes a still WebP for an animation of one frame, and holds four copies of it at its peak.
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[1::-1] != image.size:
        raise OSError("the WebP data is damaged")
    order = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    still = Image.fromarray(cv2.cvtColor(pixels, order, dst=pixels))
    still.info = dict(image.info)
    return still, ()


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

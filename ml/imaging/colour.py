"""A decoded photo's pixels → sRGB, by what its file says of its colours.

An ICC profile comes first (PNG's cICP before it), then what the container or EXIF states (``stated_colours``), then
sRGB, as browsers do. Phones write Display P3: read as sRGB, its skin would come out too grey.
"""

from __future__ import annotations

import io
import logging
import struct

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ml.imaging.encodings import Encoding
from ml.imaging.pixel_formats import to_rgb
from ml.imaging.stated_colours import stated_colours
from ml.values import Problem

log = logging.getLogger(__name__)
#: mode that a profile can be applied to → mode of the result
_MODES = {"RGB": "RGB", "CMYK": "RGB", "L": "RGB", "RGBA": "RGBA", "LAB": "RGB"}
#: modes without any colour, and the beginning of the deep ones' names: nothing of their colours can be unknown
_GREYS = ("1", "L", "LA", "La", "F")
_DEEP_GREYS = "I"
_BITS_PER_SAMPLE = 258
#: where an ICC profile lists its tags, each with a name and a place, and how many are looked at
_ICC_TAGS, _ICC_TAG, _ICC_MOST_TAGS = 132, struct.Struct(">4sI4x"), 100
_HDR_TRANSFERS = (b"\x10", b"\x12")  # H.273: PQ, HLG
_MOST_DEEP_PIXELS = 16_000_000  # 96 MB

UNKNOWN_COLOURS = Problem(
    "unknown_colours",
    "It cannot be told which colours the numbers in this file stand for, so skin tone and colours are not measured.",
    "Send the photo as the camera saved it, or a JPEG in sRGB.",
)
HDR = Problem(
    "hdr_photo",
    "The photo is in an HDR format (PQ or HLG), in which white may have any brightness, so no colour is measured.",
    "Turn HDR off, or send a JPEG of the photo.",
)


def in_srgb(image: Image.Image, pixels: Image.Image, data: bytes, bits: int) -> tuple[Image.Image, tuple[Problem, ...]]:
    """``pixels`` as mode RGB in sRGB, and UNKNOWN_COLOURS or HDR where their colours cannot be told.

    ``pixels`` are those of ``image``, perhaps reduced; ``image`` was loaded from ``data``; ``bits`` as in ``to_rgb``.
    """
    stated = stated_colours(image, data)
    profile = image.info.get("icc_profile")
    by_profile = profile or pixels.mode == "LAB"
    if by_profile and not (stated and stated.over_icc):
        converted = _by_profile(pixels, profile)
        if converted is not None:
            return to_rgb(converted, bits), (HDR,) if profile and _is_hdr_profile(profile) else ()
    known = stated.known if stated else not by_profile
    if pixels.mode == "CMYK":
        known = False
    if pixels.mode in _GREYS or pixels.mode.startswith(_DEEP_GREYS):
        known = True
    if stated and stated.encoding:
        rgb = _by_encoding(stated.encoding, image, pixels, data, bits)
        return rgb, (HDR,) if stated.encoding.is_hdr else ()
    return to_rgb(pixels, bits), () if known else (UNKNOWN_COLOURS,)


def _by_encoding(encoding: Encoding, image: Image.Image, pixels: Image.Image, data: bytes, bits: int) -> Image.Image:
    deep = _sixteen_bits(image, data, pixels.size)
    return Image.fromarray(encoding.to_srgb(np.asarray(to_rgb(pixels, bits)) if deep is None else deep))


def _sixteen_bits(image: Image.Image, data: bytes, size: tuple[int, int]) -> NDArray[np.uint16] | None:
    """The pixels of a PNG or TIFF of 16-bit R, G and B, reduced to ``size``; None for any other.

    Pillow keeps the upper byte alone: too little for dark colours in linear light. A larger photo has to do with it.
    """
    tags = getattr(image, "tag_v2", None) or {}
    png = image.format == "PNG" and data[24:26] == b"\x10\x02"
    tiff = image.format == "TIFF" and tuple(tags.get(_BITS_PER_SAMPLE, ())) == (16, 16, 16)
    if not (png or tiff) or image.has_transparency_data or image.width * image.height > _MOST_DEEP_PIXELS:
        return None
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    read = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if read is None or read.dtype != np.uint16 or read.shape != (image.height, image.width, 3):
        return None
    small = cv2.resize(read, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint16)


def _by_profile(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """``image`` converted by its ICC ``profile``, CIELAB by its own meaning; None where the profile cannot be used."""
    if image.mode in ("P", "PA"):  # a palette's colours are of the profile's space
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode not in _MODES:
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB"),
            ImageCms.createProfile("sRGB"),
            image.mode,
            _MODES[image.mode],
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
        if image.mode == "RGB" and _changes_nothing(transform):
            return image
        return ImageCms.applyTransform(image, transform) or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        log.info("an embedded colour profile could not be used and was ignored")
        return None


def _is_hdr_profile(profile: bytes) -> bool:
    """Whether the tag ``cicp`` of an ICC ``profile`` names PQ or HLG (ICC.1:2022, 9.2.17)."""
    listed = profile[_ICC_TAGS : _ICC_TAGS + _ICC_MOST_TAGS * _ICC_TAG.size]
    for name, start in _ICC_TAG.iter_unpack(listed[: len(listed) // _ICC_TAG.size * _ICC_TAG.size]):
        if name == b"cicp":
            return profile[start + 9 : start + 10] in _HDR_TRANSFERS
    return False


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether none of 5,169 colours moves by more than the rounding of one code.

    Most profiles are sRGB's own, and converting all pixels would cost as much as decoding them.
    """
    converted = ImageCms.applyTransform(Image.fromarray(_PROBE), transform)
    return converted is not None and int(np.abs(np.asarray(converted, np.int16) - _PROBE).max()) <= 1


def _probe() -> NDArray[np.uint8]:
    """Every grey, and a grid through all colours: (5169, 1, 3)."""
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    steps = np.linspace(0, 255, 17).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    return np.concatenate([greys, grid])[:, None]


_PROBE = _probe()

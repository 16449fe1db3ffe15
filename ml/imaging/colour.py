"""Converts decoded pixels to sRGB.

The encoding comes from PNG's cICP, else from the ICC profile, else from what the container or EXIF states
(``stated_colours``), else it is taken to be sRGB, as in browsers. Phones write Display P3: without conversion, skin
would look too grey.
"""

from __future__ import annotations

import io
import logging
import re

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ml.imaging.stated_colours import stated_colours
from ml.values import Problem

log = logging.getLogger(__name__)
#: modes that a profile can be applied to
_PROFILED_MODES = ("RGB", "CMYK", "L", "RGBA", "LAB")
#: modes without colour, and the start of the names of 16- and 32-bit ones; these need no colour encoding
_GREYS, _DEEP_GREYS = ("1", "L", "LA", "La", "F"), "I"
_BITS_PER_SAMPLE = 258  # TIFF's tag
#: an ICC profile's tag cicp with the transfer function PQ or HLG (ICC.1:2022, 9.2.17)
_HDR_TAG = re.compile(rb"cicp\0{4}.[\x10\x12]", re.DOTALL)
_MOST_DEEP_PIXELS = 16_000_000  # 96 MB
#: the colour behind transparent pixels
_BACKGROUND = (255, 255, 255, 255)

UNKNOWN_COLOURS = Problem(
    "unknown_colours",
    "The file does not state a colour encoding that can be read, so skin tone and colours are not measured.",
    "Send the photo as the camera saved it, or a JPEG in sRGB.",
)
HDR = Problem(
    "hdr_photo",
    "The photo is in an HDR format (PQ or HLG), in which white may have any brightness, so no colour is measured.",
    "Turn HDR off, or send a JPEG of the photo.",
)


def in_srgb(image: Image.Image, pixels: Image.Image, data: bytes) -> tuple[Image.Image, tuple[Problem, ...]]:
    """``pixels`` as mode RGB in sRGB, and the problem UNKNOWN_COLOURS or HDR if their true colours are unknown.

    ``pixels``: those of ``image``, which may be reduced. ``image`` was loaded from ``data``.
    """
    bits = _bits(image)
    stated = stated_colours(image, data)
    profile = image.info.get("icc_profile")
    by_profile = profile or pixels.mode == "LAB"
    if by_profile and not (stated and stated.over_icc):
        converted = _by_profile(pixels, profile)
        if converted is not None:
            return to_rgb(converted, bits), (HDR,) if profile and _HDR_TAG.search(profile) else ()
    if stated and stated.encoding:
        deep = _sixteen_bits(image, data, pixels.size)
        codes = np.asarray(to_rgb(pixels, bits)) if deep is None else deep
        return Image.fromarray(stated.encoding.to_srgb(codes)), (HDR,) if stated.encoding.is_hdr else ()
    known = pixels.mode != "CMYK" and (stated.known if stated else not by_profile)
    is_grey = pixels.mode in _GREYS or pixels.mode.startswith(_DEEP_GREYS)
    return to_rgb(pixels, bits), () if known or is_grey else (UNKNOWN_COLOURS,)


def to_rgb(image: Image.Image, bits: int = 16) -> Image.Image:
    """``image`` of any mode as mode RGB: alpha over white, palettes looked up, grey of ``bits`` bits scaled to 8."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode == "F" or image.mode.startswith(_DEEP_GREYS):
        return _from_deep(image, bits).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, _BACKGROUND), rgba).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image, bits: int) -> Image.Image:
    """8-bit grey. Integers are scaled by their depth (``bits``). Floats have no stated scale, so they are stretched."""
    samples = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    if image.mode == "F":
        low, high = float(samples.min()), float(samples.max())
        scaled = (samples - low) / (high - low or 1.0)
    else:
        scaled = samples / (2.0 ** min(bits, 16) - 1.0)
    return Image.fromarray(np.rint(np.clip(scaled, 0.0, 1.0) * 255.0).astype(np.uint8))


def _bits(image: Image.Image) -> int:
    """Bits per sample of a grey image of more than 8 bits. 12-bit TIFFs exist; 16 if it is not stated."""
    stated = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE)
    return int(stated[0]) if stated else 16


def _sixteen_bits(image: Image.Image, data: bytes, size: tuple[int, int]) -> NDArray[np.uint16] | None:
    """The pixels (height, width, 3) of a 16-bit RGB PNG or TIFF, reduced to ``size`` (width, height).

    None for other files and for large ones. Pillow would keep only 8 bits, which are too few for dark colours in linear
    light.
    """
    png = image.format == "PNG" and data[24:26] == b"\x10\x02"
    tiff = image.format == "TIFF" and tuple(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())) == (16, 16, 16)
    if not (png or tiff) or image.has_transparency_data or image.width * image.height > _MOST_DEEP_PIXELS:
        return None
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if read is None or read.dtype != np.uint16 or read.shape[2:] != (3,):
        return None
    small = cv2.resize(read, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint16)


def _by_profile(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """``image`` converted by its ICC ``profile``. CIELAB needs no profile. None if the profile cannot be used."""
    if image.mode in ("P", "PA"):  # the profile applies to the colours of the palette
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode not in _PROFILED_MODES:
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB"),
            ImageCms.createProfile("sRGB"),
            image.mode,
            "RGBA" if image.mode == "RGBA" else "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
        if image.mode == "RGB" and _changes_nothing(transform):
            return image
        return ImageCms.applyTransform(image, transform) or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        log.info("an embedded colour profile could not be used and was ignored")
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether each of 5,169 test colours changes by one code or less.

    Most profiles are sRGB. Converting all pixels would take as long as decoding them.
    """
    converted = ImageCms.applyTransform(Image.fromarray(_PROBE), transform)
    return converted is not None and int(np.abs(np.asarray(converted, np.int16) - _PROBE).max()) <= 1


_EVERY_GREY = np.arange(256).repeat(3).reshape(-1, 3)
_GRID_OF_COLOURS = np.linspace(0, 255, 17)[np.indices((17, 17, 17)).reshape(3, -1).T]
_PROBE = np.concatenate([_EVERY_GREY, _GRID_OF_COLOURS])[:, None].astype(np.uint8)  # (5169, 1, 3)

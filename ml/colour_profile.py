"""Embedded colour profiles → sRGB. Phones write Display P3: read as sRGB, its skin would come out too grey."""

from __future__ import annotations

import io
import logging

from PIL import Image, ImageCms

log = logging.getLogger(__name__)
#: mode that a profile can be applied to → mode of the result
_MODES = {"RGB": "RGB", "CMYK": "RGB", "L": "RGB", "RGBA": "RGBA"}


def to_srgb(image: Image.Image) -> Image.Image:
    """``image`` converted by its embedded ICC profile; unchanged if there is none or it cannot be used."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    if image.mode in ("P", "PA"):  # a palette's colours are of the profile's space
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode not in _MODES:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode=_MODES[image.mode],
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        log.info("an embedded colour profile could not be used and was ignored")
        return image
    return converted if converted is not None else image

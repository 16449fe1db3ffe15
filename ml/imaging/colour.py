"""Embedded colour profiles → sRGB. Phones write Display P3: read as sRGB, its skin would come out too grey."""

from __future__ import annotations

import io
import logging

import numpy as np
from numpy.typing import NDArray
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
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
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
        return image


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

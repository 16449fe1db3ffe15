"""Masks and maps → PNG with transparency, in the shape of the photo's working copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import Mask

Floats = NDArray[np.float32]
Colour = tuple[int, int, int]  # R, G, B

_OPAQUE, _TRANSLUCENT = 220, 90  # of 255
_LEVELS = 32  # of a map: finer steps are not seen, and PNG packs few levels well
_PERCENTILES = (2.0, 98.0)


def mask_picture(mask: Mask, colour: Colour) -> bytes:
    """``mask`` (H, W) tinted, with a line around it."""
    return region_picture([mask], [colour])


def region_picture(masks: Sequence[Mask], colours: Sequence[Colour]) -> bytes:
    """Each of ``masks`` (H, W), at least one, in its colour."""
    rgba = np.zeros((*masks[0].shape, 4), np.uint8)
    for mask, colour in zip(masks, colours, strict=True):
        rgba[mask] = (*colour, _TRANSLUCENT)
        outline = mask & ~cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
        rgba[outline] = (*colour, _OPAQUE)
    return to_png(rgba)


def map_picture(values: Floats, where: Mask, colour: Colour) -> bytes:
    """``values`` (H, W): the more, the stronger the colour, between the 2nd and 98th percentiles of ``where`` (H, W),
    beyond which it is transparent."""
    low, high = np.percentile(values[where], _PERCENTILES) if where.any() else (0.0, 1.0)
    strength = np.clip((values - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    return _tinted(np.where(where, strength, 0.0), np.broadcast_to(np.array(colour, np.uint8), (*values.shape, 3)))


def heat_picture(importance: Floats, height: int, width: int) -> bytes:
    """``importance`` (rows, columns), 0–1, over a photo of this size: transparent where nothing depends on it."""
    smooth = cv2.resize(importance, (width, height), interpolation=cv2.INTER_CUBIC)
    levels = np.round(np.clip(smooth, 0.0, 1.0) * (_LEVELS - 1)) / (_LEVELS - 1)
    bgr = cv2.applyColorMap(np.asarray(levels * 255, np.uint8), cv2.COLORMAP_INFERNO)
    return _tinted(levels, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def _tinted(strength: NDArray[np.floating], rgb: NDArray[Any]) -> bytes:
    levels = np.round(strength * (_LEVELS - 1)) / (_LEVELS - 1)
    return to_png(np.dstack([rgb, levels * _OPAQUE]).astype(np.uint8))


def to_png(rgba: NDArray[np.uint8]) -> bytes:
    """(H, W, 4) as a PNG file. Raises ValueError if it cannot be written."""
    done, data = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
    if not done:
        raise ValueError("the picture could not be written as PNG")
    return bytes(data.tobytes())

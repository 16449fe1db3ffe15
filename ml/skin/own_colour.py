"""Which of two colours of skin is the person's own: a large patch of vitiligo must not decide the tone, nor a naevus.

People photograph what they mean centrally, so of two clearly different lightnesses the one that more skin near the
frame has is taken for their own. Most photos have one, and keep all of their skin.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import Mask

Floats = NDArray[np.float32]

_LEAST_SHARE = 0.1  # of the skin: less does not move a median
_LEAST_GAP = 12.0  # L*, between the two means
_CLEAR = 4.5  # the gap over the spread within: light that falls off evenly is 3.5 (a uniform distribution, halved)
_STEP = 3  # pixels: neighbours tell the same
_FRAME = 6  # its outer sixth is near a photo's frame


def own_colour(lightness: Floats, mask: Mask) -> Mask:
    """The part of ``mask`` (H, W) that is of the person's own lightness L* (H, W); all of it where that is one."""
    sampled = mask[::_STEP, ::_STEP]
    values = lightness[::_STEP, ::_STEP][sampled]
    if not len(values):
        return mask
    cut, _ = cv2.threshold((values * 2.55).astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    cut = (cut + 1) / 2.55
    pale = values >= cut
    if not _are_two(values, pale):
        return mask
    near = _near_frame(sampled.shape)[sampled]
    counted = pale[near] if near.any() else pale
    return mask & ((lightness >= cut) if counted.mean() > 0.5 else (lightness < cut))


def _are_two(values: Floats, pale: NDArray[np.bool_]) -> bool:
    """Whether ``values`` (n,) fall into two groups, of which one is ``pale`` (n,), that lie clearly apart."""
    if not _LEAST_SHARE <= pale.mean() <= 1 - _LEAST_SHARE:
        return False
    light, dark = values[pale], values[~pale]
    gap = light.mean() - dark.mean()
    within = np.sqrt((light.var() * len(light) + dark.var() * len(dark)) / len(values))
    return bool(gap >= max(_LEAST_GAP, _CLEAR * within))


def _near_frame(shape: tuple[int, ...]) -> Mask:
    near = np.ones(shape, np.bool_)
    height, width = shape
    near[height // _FRAME : height - height // _FRAME, width // _FRAME : width - width // _FRAME] = False
    return near

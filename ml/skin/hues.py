"""Whether a photo has colours of its own, or is black and white, sepia or tinted: one hue for each lightness.

In a tinted photo the colour of a place follows from its lightness alone. So chroma is fitted as a cubic of luma, and
what remains is measured, as it would be at a luma of 128: dark skin has as many colours as light skin, but smaller
numbers for them. In photos of skin it is several codes, in tinted ones little but the noise of compression.
``python -m research.hues DATA`` prints both; LEAST_SPREAD lies between them. An even patch of skin has one hue too:
unless it is grey, only a photo with light and dark parts is told to be tinted.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import RGB

Floats = NDArray[Any]

#: codes of chroma at a luma of 128 by which a tenth of a photo with colours is away from the fit, at least
LEAST_SPREAD = 1.0
#: pixels of a block that is averaged, which takes away the noise of chroma that JPEG stores in blocks of 16
_BLOCK = 16
_LEAST_BLOCKS = 100
_TOO_FEW = 40
_DARK, _BRIGHT = 8, 250  # luma outside has no room for chroma
_ROUNDS = 4
_LEAST_RANGE = 0.07  # standard deviation of luma, over its mean, from which one hue is a tint …
_GREY = 4.0  # … and codes of chroma, at a luma of 128, below which nearly all of a photo has no hue
_MIDDLE = 128
_NO_CHROMA = 127.5  # OpenCV puts grey at half of the range
_CODING_NOISE = 10  # codes of luma below which rounding makes up most of chroma


def has_colours(copy: RGB) -> bool:
    """Whether ``copy`` (H, W, 3), a working copy, shows more than one hue; True where it cannot be told."""
    blocks = _blocks(copy)
    if blocks is None:
        return True
    luma, chroma = blocks
    is_grey = np.percentile(np.hypot(*chroma.T) * _scale(luma), 99) < _GREY
    is_even = luma.std() < _LEAST_RANGE * luma.mean()
    return bool(not is_grey and (is_even or _spread(luma, chroma) >= LEAST_SPREAD))


def chroma_spread(copy: RGB) -> float | None:
    """How far the colours of ``copy`` (H, W, 3) are from those that follow from its lightness, in codes of Cb and Cr
    at a luma of 128: the 90th percentile over blocks. None where there is too little between black and white."""
    blocks = _blocks(copy)
    return None if blocks is None else _spread(*blocks)


def _blocks(copy: RGB) -> tuple[Floats, Floats] | None:
    """Luma (n,) and chroma (n, 2) of averaged blocks, in codes; None where too few are between black and white."""
    height, width = copy.shape[:2]
    block = max(1.0, min(_BLOCK, (height * width / _LEAST_BLOCKS) ** 0.5))
    size = max(1, round(width / block)), max(1, round(height / block))
    small = cv2.resize(copy.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    luma, red, blue = (np.asarray(one) * 255 for one in cv2.split(cv2.cvtColor(small / 255, cv2.COLOR_RGB2YCrCb)))
    seen = (luma > _DARK) & (luma < _BRIGHT)
    if np.count_nonzero(seen) < _TOO_FEW:
        return None
    return luma[seen], np.stack([red[seen], blue[seen]], axis=1) - _NO_CHROMA


def _spread(luma: Floats, chroma: Floats) -> float:
    return float(np.percentile(_residuals(luma / 127.5 - 1, chroma) * _scale(luma), 90))


def _scale(luma: Floats) -> Floats:
    """What makes of codes of chroma those at a luma of 128."""
    return np.asarray((_MIDDLE + _CODING_NOISE) / (luma + _CODING_NOISE))


def _residuals(lightness: Floats, chroma: Floats) -> Floats:
    """(n,) distances of ``chroma`` (n, 2) from a cubic of ``lightness`` (n,), fitted by least absolute distances."""
    powers = np.vander(lightness, 4)
    weight = np.ones(len(lightness))
    for _ in range(_ROUNDS):
        fit = np.linalg.lstsq(powers * weight[:, None], chroma * weight[:, None], rcond=None)[0]
        distance = np.hypot(*(chroma - powers @ fit).T)
        weight = 1 / np.sqrt(np.maximum(distance, 0.5))
    return np.asarray(distance)

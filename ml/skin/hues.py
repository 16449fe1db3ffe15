"""Whether a photo has colours of its own, or is black and white, sepia or tinted: one hue for each lightness.

In a tinted photo the colour of a place follows from its lightness alone. So chroma is fitted as a cubic of luma, and
what remains is measured, as it would be at a luma of 128: dark skin has as many colours as light skin, but smaller
numbers for them. In photos of skin it is several codes, in tinted ones little but the noise of compression.
``python -m research.hues DATA`` prints both; LEAST_SPREAD lies between them.
"""

from __future__ import annotations

import cv2
import numpy as np

from ml.values import RGB

#: codes of chroma at a luma of 128 by which a tenth of a photo with colours is away from the fit, at least
LEAST_SPREAD = 1.0
#: pixels of a block that is averaged, which takes away the noise of chroma that JPEG stores in blocks of 16
_BLOCK = 16
_LEAST_BLOCKS = 100
_TOO_FEW = 40
_DARK, _BRIGHT = 8, 250  # luma outside has no room for chroma
_ROUNDS = 4
_MIDDLE = 128
_CODING_NOISE = 10  # codes of luma below which rounding makes up most of chroma


def has_colours(copy: RGB) -> bool:
    """Whether ``copy`` (H, W, 3), a working copy, shows more than one hue; True where too little is to be seen."""
    spread = chroma_spread(copy)
    return spread is None or spread >= LEAST_SPREAD


def chroma_spread(copy: RGB) -> float | None:
    """How far the colours of ``copy`` (H, W, 3) are from those that follow from its lightness, in codes of Cb and Cr
    at a luma of 128: the 90th percentile over blocks. None where there is too little between black and white."""
    height, width = copy.shape[:2]
    block = max(1.0, min(_BLOCK, (height * width / _LEAST_BLOCKS) ** 0.5))
    size = max(1, round(width / block)), max(1, round(height / block))
    small = cv2.resize(copy.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    luma, red, blue = cv2.split(np.asarray(cv2.cvtColor(small / 255, cv2.COLOR_RGB2YCrCb)) * 255)
    seen = (luma > _DARK) & (luma < _BRIGHT)
    if np.count_nonzero(seen) < _TOO_FEW:
        return None
    lightness = luma[seen] / 127.5 - 1
    chroma = np.stack([red[seen], blue[seen]], axis=1)
    scale = (_MIDDLE + _CODING_NOISE) / (luma[seen] + _CODING_NOISE)
    return float(np.percentile(_residuals(lightness, chroma) * scale, 90))


def _residuals(lightness: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """(n,) distances of ``chroma`` (n, 2) from a cubic of ``lightness`` (n,), fitted by least absolute distances."""
    powers = np.vander(lightness, 4)
    weight = np.ones(len(lightness))
    for _ in range(_ROUNDS):
        fit = np.linalg.lstsq(powers * weight[:, None], chroma * weight[:, None], rcond=None)[0]
        distance = np.hypot(*(chroma - powers @ fit).T)
        weight = 1 / np.sqrt(np.maximum(distance, 0.5))
    return np.asarray(distance)

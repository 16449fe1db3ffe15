"""How bare skin drifts on the way across a photo: blotches too broad for spots and too irregular for a surface."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import Mask

Floats = NDArray[np.float32]

_WINDOW = (9, 9)  # points of a grid of about 50 x 50: a sixth of a photo's side, and several times a spot's
_TRIM = 3.0  # standard deviations from its neighbourhood within which a point is bare skin
_MOST = 1.5  # standard deviations that bare skin drifts by: a broad lesion differs by more, and stands out still
_ROUNDS = 3
_FEW = 0.05  # of the window: with fewer bare points than this, the mean is drawn to no drift


def mottling(off: Floats, skin: Mask) -> tuple[Floats, Mask]:
    """The local mean (h, w, 3) of how bare skin is off, and which points (h, w) of ``skin`` (h, w) agree with it: those
    that differ from their neighbourhood are left out, in turns. ``off`` (h, w, 3; of unit variance) samples a photo on
    a grid."""
    drift = np.zeros_like(off)
    for _ in range(_ROUNDS):
        rest = off - drift
        bare = skin & ((rest * rest).sum(axis=2) < _TRIM**2)
        weight = bare.astype(np.float32)
        drift = cv2.blur(off * weight[..., None], _WINDOW) / (cv2.blur(weight, _WINDOW) + _FEW)[..., None]
        length = np.sqrt((drift * drift).sum(axis=2, keepdims=True))
        drift *= np.minimum(1, _MOST / np.maximum(length, _MOST))
    return drift, bare

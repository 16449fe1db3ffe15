"""Texture of skin: co-occurrence of grey levels, local binary patterns, and evenness of lightness."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

from ml.skin.regions import Region
from ml.values import Measurement

Floats = NDArray[np.float32]

LEVELS = 32  # grey levels over L* 0–100: a fixed scale, so that two photos compare
DISTANCES = (1, 3)  # pixels of the working copy
_ANGLES = (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_NEIGHBOURS = 8


def measure_texture(lightness: Floats, skin: Region) -> tuple[Measurement, ...]:
    """Texture of ``skin`` in L* (H, W) of a working copy; None throughout where the region is too small.

    Scale is in pixels of the copy: a close-up and a distant photo of the same skin differ.
    """
    return (*_co_occurrence(lightness, skin), _binary_patterns(lightness, skin), evenness(lightness, skin))


def evenness(lightness: Floats, skin: Region) -> Measurement:
    """Standard deviation of L* in the region; shading across the region is part of it."""
    value = float(lightness[skin.mask].std(dtype=np.float64)) if skin.usable else None
    return Measurement("evenness", value, "L*", "standard deviation of L*; lower is more even", skin.name)


def _co_occurrence(lightness: Floats, skin: Region) -> tuple[Measurement, ...]:
    """GLCM contrast and homogeneity (Haralick 1973), averaged over four angles, pairs inside the mask only."""
    kinds = ("contrast", "homogeneity")
    values: dict[tuple[str, int], float] = {}
    if skin.usable:
        levels = np.clip(lightness * (LEVELS / 100), 0, LEVELS - 1).astype(np.uint8) + np.uint8(1)
        levels[~skin.mask] = 0  # level 0 stands for "outside", and its pairs are dropped
        counts = graycomatrix(levels, DISTANCES, _ANGLES, levels=LEVELS + 1)[1:, 1:].astype(np.float64)
        for kind in kinds:
            means = graycoprops(counts, kind).mean(axis=1)
            values |= {(kind, distance): float(mean) for distance, mean in zip(DISTANCES, means, strict=True)}
    method = f"GLCM of L* in {LEVELS} levels, mean of 4 angles"
    return tuple(
        Measurement(f"glcm_{kind}_d{distance}", values.get((kind, distance)), "1", method, skin.name)
        for kind in kinds
        for distance in DISTANCES
    )


def _binary_patterns(lightness: Floats, skin: Region) -> Measurement:
    """Entropy of uniform local binary patterns (Ojala 2002), P = 8, R = 1; at most log2(10) bits."""
    name, method = "lbp_entropy", "entropy of uniform local binary patterns, P = 8, R = 1"
    inner = cv2.erode(skin.mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0).astype(np.bool_)
    if not Region(skin.name, inner).usable:
        return Measurement(name, None, "bit", method, skin.name)
    grey = np.rint(lightness * 2.55).astype(np.uint8)
    patterns = local_binary_pattern(grey, _NEIGHBOURS, 1, method="uniform")[inner].astype(np.intp)
    shares = np.bincount(patterns, minlength=_NEIGHBOURS + 2) / len(patterns)
    present = shares[shares > 0]
    return Measurement(name, float(-(present * np.log2(present)).sum()), "bit", method, skin.name)

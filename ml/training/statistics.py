"""Statistics of figures: the confidence interval of a share, and how far probabilities are off."""

from __future__ import annotations

import math

import numpy as np

from ml.values import Doubles, Mask

_Z = 1.959964  # of the normal distribution, for 95%
_BINS = 10


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95% confidence interval of the share ``hits`` / ``n`` (Wilson 1927)."""
    centre = (hits + _Z**2 / 2) / (n + _Z**2)
    half = _Z / (n + _Z**2) * math.sqrt(hits * (n - hits) / n + _Z**2 / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def calibration_error(probability: Doubles, right: Mask) -> float:
    """The expected calibration error, 0–1, in ten bins of equal width (Naeini et al. 2015): the mean difference between
    the ``probability`` (n,) and the share that is ``right`` (n,)."""
    place = np.minimum((probability * _BINS).astype(np.intp), _BINS - 1)
    gaps = np.bincount(place, right, _BINS) - np.bincount(place, probability, _BINS)
    return float(np.abs(gaps).sum() / len(place))

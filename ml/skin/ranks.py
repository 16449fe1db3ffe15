"""Medians and percentiles by way of a histogram: sorting a photo's pixels costs several times as much."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def median(values: NDArray[np.float32]) -> float:
    """The median of ``values`` (n,), n ≥ 1: a histogram tells the step that holds it, and only that step is sorted."""
    low, high = float(values.min()), float(values.max())
    scale = 255 / ((high - low) or 1)
    steps = np.asarray(cv2.convertScaleAbs(values, alpha=scale, beta=-low * scale), np.uint8).ravel()
    upto = _cumulative(steps)
    middle = np.array([(len(values) - 1) // 2, len(values) // 2])
    first, last = np.searchsorted(upto, middle, side="right").tolist()
    near = np.sort(values.compress((steps >= first) & (steps <= last)))
    before = int(upto[first - 1]) if first else 0
    return float(near[middle - before].mean())


def medians(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median (k,) of each column of ``values`` (n, k), n ≥ 1: a few thousand are sorted in a fourth of the time
    that NumPy's own median takes."""
    ordered = np.sort(values, axis=0)
    return np.asarray((ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2, np.float32)


def percentiles(codes: NDArray[np.uint8], *percents: float) -> list[float]:
    """Percentiles (0–100) of 8-bit ``codes`` (H, W); one that falls between two codes lies there in proportion."""
    upto = _cumulative(codes)
    ranks = (codes.size - 1) * np.array(percents) / 100
    below, above = (np.searchsorted(upto, edge, side="right") for edge in (np.floor(ranks), np.ceil(ranks)))
    return [float(value) for value in below + (above - below) * (ranks % 1)]


def _cumulative(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How many ``codes`` are at most 0, 1, … 255."""
    return np.cumsum(cv2.calcHist([codes], [0], None, [256], [0, 256]), dtype=np.float64)

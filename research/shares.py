"""Shares with 95% confidence intervals."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_Z = 1.959964


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95% confidence interval of the share ``hits`` / ``n`` (Wilson 1927)."""
    centre = (hits + _Z**2 / 2) / (n + _Z**2)
    half = _Z / (n + _Z**2) * math.sqrt(hits * (n - hits) / n + _Z**2 / 4)
    return centre - half, centre + half


def report_share(what: str, hits: NDArray[np.bool_]) -> None:
    """Print the share of ``hits`` (n,) with its 95% interval."""
    low, high = wilson(int(hits.sum()), len(hits))
    print(f"{what}: {hits.mean():.3f} [{low:.3f}, {high:.3f}], {int(hits.sum())} of {len(hits)}")

"""Prints shares with their 95% confidence intervals."""

from __future__ import annotations

from ml.training.statistics import wilson
from ml.values import Mask


def report_share(what: str, hits: Mask) -> None:
    """Print the share of ``hits`` (n,) with its 95% interval."""
    low, high = wilson(int(hits.sum()), len(hits))
    print(f"{what}: {hits.mean():.3f} [{low:.3f}, {high:.3f}], {int(hits.sum())} of {len(hits)}")

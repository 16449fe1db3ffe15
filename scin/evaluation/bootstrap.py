"""Figures with a bootstrap interval over cases (Efron's percentiles), or "too few" where there are not enough."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scin.evaluation.cases import Floats

#: a group of fewer cases gets no figure
TOO_FEW = 30
LEVEL = 0.95
_BLOCK = 100  # resamples at once


@dataclass(frozen=True)
class Figure:
    """A measured value with its 95% interval, over ``n`` cases; all three None where there were too few."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


#: counts (B, n) → (B,) the statistic of each resample
Statistic = Callable[[Floats], Floats]


class Bootstrap:
    """Draws ``resamples`` resamples of the same size; the same seed and name give the same draws."""

    def __init__(self, resamples: int, seed: int) -> None:
        self._resamples = resamples
        self._seed = seed

    def figures(self, name: str, n: int, statistics: dict[str, Statistic]) -> dict[str, Figure]:
        """Each statistic of n cases with its interval, all from the same resamples. A nan becomes "too few"."""
        if n < TOO_FEW:
            return {metric: Figure(n) for metric in statistics}
        rng = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
        drawn: dict[str, list[Floats]] = {metric: [] for metric in statistics}
        for start in range(0, self._resamples, _BLOCK):
            size = min(_BLOCK, self._resamples - start)
            counts = rng.multinomial(n, np.full(n, 1.0 / n), size=size).astype(np.float64)
            for metric, statistic in statistics.items():
                drawn[metric].append(statistic(counts))
        once = np.ones((1, n))
        return {
            metric: _figure(n, float(statistic(once)[0]), np.concatenate(drawn[metric]))
            for metric, statistic in statistics.items()
        }


def mean_of(values: Floats) -> Statistic:
    """The mean of (n,) values as a statistic."""
    return lambda counts: np.asarray(counts @ values / counts.sum(axis=1), np.float64)


def _figure(n: int, value: float, draws: Floats) -> Figure:
    known = draws[np.isfinite(draws)]
    if not np.isfinite(value) or not len(known):
        return Figure(n)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(n, value, float(low), float(high))

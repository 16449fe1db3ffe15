"""Scores: where a measured value lies in a population that was measured in the same way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ml.values import Measurement, Skin

STEPS = 101  #: percentiles 0, 1, … 100
WIDEST = 10.0  #: a score with a greater uncertainty is left out


@dataclass(frozen=True)
class Distribution:
    """``percentiles`` 0, 1, … 100 of one measure over a number of ``photos``, ascending, and the ``method`` by which it
    was measured."""

    method: str
    photos: int
    percentiles: tuple[float, ...]

    def share_below(self, value: float) -> float:
        """The percentage, 0–100, of the population with a smaller value; half of those with the same one."""
        ordered = np.array(self.percentiles)
        ranks = np.arange(STEPS)
        low, high = np.searchsorted(ordered, value, "left"), np.searchsorted(ordered, value, "right")
        if low != high:
            return float(ranks[low] + ranks[high - 1]) / 2
        return float(np.interp(value, ordered, ranks))


@dataclass(frozen=True)
class Population:
    """Distributions by "region/measure". ``seed`` decided which of the photos were drawn."""

    seed: int
    distributions: Mapping[str, Distribution]

    def scored(self, measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
        """``measurements``, each with its score if the population has it in that region, by the same method, and if its
        uncertainty is at most 10 of 100."""
        return tuple(self._scored(measurement) for measurement in measurements)

    def _scored(self, measurement: Measurement) -> Measurement:
        known = self.distributions.get(f"{measurement.region}/{measurement.name}")
        if known is None or known.method != measurement.method or measurement.value is None:
            return measurement
        if measurement.uncertainty is None:
            return measurement
        score, uncertainty = _score(known, measurement.value, measurement.uncertainty)
        if uncertainty > WIDEST:
            return measurement
        return replace(measurement, score=round(score, 1), score_uncertainty=round(uncertainty, 1))


def _score(known: Distribution, value: float, uncertainty: float) -> tuple[float, float]:
    """The score and its uncertainty: that of the value, and one standard deviation of the binomial share of so few
    photos."""
    low, score, high = (known.share_below(v) for v in (value - uncertainty, value, value + uncertainty))
    share = min(max(score / 100, 1 / known.photos), 1 - 1 / known.photos)
    sampling = 100 * math.sqrt(share * (1 - share) / known.photos)
    return score, math.hypot(max(high - score, score - low), sampling)


def scored(skin: Skin, population: Population | None) -> Skin:
    """``skin`` with the scores that ``population`` gives it; unchanged without one."""
    if population is None:
        return skin
    return replace(skin, measurements=population.scored(skin.measurements))

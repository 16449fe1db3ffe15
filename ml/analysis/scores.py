"""Scores: the percentile of a measured value in the population of an index."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ml.values import Measurement, Skin

STEPS = 101  #: number of percentiles: 0, 1, … 100
#: percentiles beyond which a value is lower or higher than usual
USUAL = (10.0, 90.0)
WIDEST = 10.0  #: largest uncertainty of a score that is reported, in percentage points


Grade = Literal["lower_than_usual", "usual", "higher_than_usual"]


def grade(score: float | None) -> Grade | None:
    """``score``, 0–100, in words; None without a score, or if it is no number."""
    if score is None or not math.isfinite(score):
        return None
    low, high = USUAL
    return "lower_than_usual" if score < low else "higher_than_usual" if score > high else "usual"


@dataclass(frozen=True)
class Distribution:
    """The distribution of one measure. ``percentiles``: the values at 0, 1, … 100%, ascending. ``photos``: the number
    of photos. ``method``: the measure's method, which must be that of the value to score."""

    method: str
    photos: int
    percentiles: tuple[float, ...]

    def share_below(self, value: float) -> float:
        """The percentage, 0–100, of the population with a smaller value. Equal values count half."""
        ordered = np.array(self.percentiles)
        ranks = np.arange(STEPS)
        low, high = np.searchsorted(ordered, value, "left"), np.searchsorted(ordered, value, "right")
        if low != high:
            return float(ranks[low] + ranks[high - 1]) / 2
        return float(np.interp(value, ordered, ranks))


@dataclass(frozen=True)
class Population:
    """``distributions``: "region/measure" → distribution. ``seed``: that of the random sample of photos."""

    seed: int
    distributions: Mapping[str, Distribution]

    def scored(self, measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
        """``measurements`` with scores. One has no score if the population lacks the measure in that region or by that
        method, or if the score's uncertainty is over WIDEST."""
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
    """The score and its uncertainty, both 0–100. The uncertainty combines that of the value with one standard deviation
    of the binomial share."""
    low, score, high = (known.share_below(v) for v in (value - uncertainty, value, value + uncertainty))
    share = min(max(score / 100, 1 / known.photos), 1 - 1 / known.photos)
    sampling = 100 * math.sqrt(share * (1 - share) / known.photos)
    return score, math.hypot(max(high - score, score - low), sampling)


def scored(skin: Skin, population: Population | None) -> Skin:
    """``skin`` with scores from ``population``; unchanged if there is none."""
    if population is None:
        return skin
    return replace(skin, measurements=population.scored(skin.measurements))

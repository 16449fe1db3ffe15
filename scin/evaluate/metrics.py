"""Metrics of ranked conditions against the dermatologists' weighted differentials, with bootstrap intervals.

docs/leaderboard.md defines each metric. A condition with probability 0 is not ranked, so it is never a hit.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scin.evaluate.cases import UNKNOWN, Floats, Ints, LabelledCases

CUTS = (1, 3, 5)
DEPTH = max(CUTS)
MIN_CASES = 10
COMMONEST = 10
TOP_1, TOP_3, TOP_5, NDCG, RECALL, AUROC = "top-1", "top-3", "top-5", "ndcg-5", "macro recall", "macro AUROC"
#: the metrics that a table of a report shows
MAIN = (TOP_1, TOP_3, TOP_5, NDCG, RECALL, AUROC)

#: a group with fewer cases gets no figures
TOO_FEW = 30
LEVEL = 0.95
_BLOCK = 100  # resamples in one matrix
_NO_CONDITION = -1


@dataclass(frozen=True)
class Figure:
    """A metric over ``n`` cases with its 95% interval; None for all three if there were too few cases."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


#: metric → figure
Figures = dict[str, Figure]
#: counts (B, n), how often each resample draws each case → (B,) the statistic of each resample
Statistic = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Bootstrap:
    """Percentile bootstrap over cases (Efron), or over groups of cases. The same seed and name give the same resamples.

    Unlike scipy.stats.bootstrap, which draws rows, a resample is a vector of counts. So matrix products compute all
    metrics of a group from the same resamples. Resamples in which a metric is undefined are excluded.
    """

    resamples: int
    seed: int

    def figures(self, name: str, n: int, statistics: dict[str, Statistic], groups: Ints | None = None) -> Figures:
        """Each statistic of n cases with its interval. An undefined statistic (nan) has no value.

        ``groups`` (n,): cases with the same number are drawn together.
        """
        if n < TOO_FEW:
            return {metric: Figure(n) for metric in statistics}
        rng = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        drawn: dict[str, list[Floats]] = {metric: [] for metric in statistics}
        place = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
        units = int(place.max()) + 1
        for start in range(0, self.resamples, _BLOCK):
            size = min(_BLOCK, self.resamples - start)
            counts = rng.multinomial(units, np.full(units, 1.0 / units), size=size).astype(np.float64)[:, place]
            for metric, statistic in statistics.items():
                drawn[metric].append(statistic(counts))
        once = np.ones((1, n))
        return {
            metric: _figure(n, float(statistic(once)[0]), np.concatenate(drawn[metric]))
            for metric, statistic in statistics.items()
        }


def _figure(n: int, value: float, draws: Floats) -> Figure:
    known = draws[np.isfinite(draws)]
    if not np.isfinite(value) or not len(known):
        return Figure(n)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(n, value, float(low), float(high))


def mean_of(values: Floats) -> Statistic:
    """The mean of (n,) values as a statistic."""
    return lambda counts: np.asarray(counts @ values / counts.sum(axis=1), np.float64)


def all_figures(probabilities: Floats, cases: LabelledCases, bootstrap: Bootstrap) -> Figures:
    """Every metric over all cases. ``probabilities`` is (n, C)."""
    return _group_figures("all", probabilities, cases, commonest(cases), bootstrap)


def figures_by_tone(probabilities: Floats, cases: LabelledCases, bootstrap: Bootstrap) -> dict[str, dict[str, Figures]]:
    """Scale → group → every metric. AUROC is over the same conditions in every group."""
    conditions = commonest(cases)
    found: dict[str, dict[str, Figures]] = {}
    for scale, names in cases.tones.items():
        found[scale] = {}
        for group in sorted(set(names.tolist()) - {UNKNOWN}, key=tone_order):
            rows = np.flatnonzero(names == group)
            found[scale][group] = _group_figures(group, probabilities[rows], cases.take(rows), conditions, bootstrap)
    return found


def tone_order(group: str) -> tuple[str, int]:
    """A key that sorts Monk 10 after Monk 9."""
    scale, _, number = group.rpartition(" ")
    return scale, int(number.split("–")[0])


def _group_figures(
    name: str, probabilities: Floats, cases: LabelledCases, conditions: Ints, bootstrap: Bootstrap
) -> Figures:
    values = per_case(probabilities, cases)
    statistics: dict[str, Statistic] = {metric: mean_of(of_cases) for metric, of_cases in values.items()}
    judged = judged_conditions(cases.top)
    statistics[RECALL] = lambda counts: macro_recall(values[TOP_1], cases.top, judged, counts)
    named = cases.weights[:, conditions] > 0
    positives = named.sum(axis=0)
    enough = (positives >= MIN_CASES) & (len(named) - positives >= MIN_CASES)
    scores, truth = probabilities[:, conditions[enough]], named[:, enough]
    statistics[AUROC] = lambda counts: macro_auroc(scores, truth, counts)
    return bootstrap.figures(name, len(cases), statistics, cases.groups)


def ranking(probabilities: Floats, depth: int = DEPTH) -> Ints:
    """(n, C) → (n, depth) columns, most probable first, ties in alphabetical order; −1 where nothing is ranked."""
    depth = min(depth, probabilities.shape[1])
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :depth]
    return np.where(np.take_along_axis(probabilities, order, axis=1) > 0, order, _NO_CONDITION)


def per_case(probabilities: Floats, cases: LabelledCases) -> dict[str, Floats]:
    """Metric → (n,) its value for each case, 0–1. The metric is their mean.

    nDCG: gain = weight, discount = log2(1 + rank) (Järvelin and Kekäläinen 2002).
    """
    ranked = ranking(probabilities)
    leads, gains = _of_ranked(cases.leading.astype(np.float64), ranked), _of_ranked(cases.weights, ranked)
    best = -np.sort(-cases.weights, axis=1)[:, :DEPTH]
    values: dict[str, Floats] = {}
    for k in CUTS:
        values[f"top-{k}"] = np.asarray((leads[:, :k] > 0).any(axis=1), np.float64)
        values[f"any-{k}"] = np.asarray((gains[:, :k] > 0).any(axis=1), np.float64)
        values[f"weight-{k}"] = np.asarray(gains[:, :k].sum(axis=1) / best[:, :k].sum(axis=1), np.float64)
    values[NDCG] = np.asarray(_discounted(gains) / _discounted(best), np.float64)
    return values


def _of_ranked(table: Floats, ranked: Ints) -> Floats:
    """The table's entries at the ranked columns, 0 where nothing is ranked."""
    return np.where(ranked >= 0, np.take_along_axis(table, np.maximum(ranked, 0), axis=1), 0.0)


def _discounted(gains: Floats) -> Floats:
    return np.asarray(gains @ (1.0 / np.log2(np.arange(2, gains.shape[1] + 2))), np.float64)


def judged_conditions(top: Ints) -> Ints:
    """The conditions for macro recall: those that are the first leading condition of at least MIN_CASES cases."""
    return np.flatnonzero(np.bincount(top) >= MIN_CASES)


def macro_recall(hits: Floats, top: Ints, conditions: Ints, counts: Floats) -> Floats:
    """(B,) macro recall of B resamples. A condition that a resample does not draw is left out of its mean.

    It is balanced accuracy if no case has two leading conditions.
    ``hits`` (n,) are the top-1 hits, ``top`` (n,) the cases' first leading conditions, ``counts`` (B, n) how often each
    case is drawn.
    """
    member = (top[:, None] == conditions[None, :]).astype(np.float64)
    drawn = counts @ member
    with np.errstate(invalid="ignore"):
        recall = (counts @ (member * hits[:, None])) / drawn
    return _mean_of_known(recall)


def commonest(cases: LabelledCases, number: int = COMMONEST) -> Ints:
    """The conditions that most differentials name, most often first; ties in alphabetical order."""
    return np.argsort(-(cases.weights > 0).sum(axis=0), kind="stable")[:number]


def auroc(scores: Floats, positive: NDArray[np.bool_], counts: Floats) -> Floats:
    """(B,) area under the ROC curve of each of B resamples, ties counting half; nan without a positive or a negative.

    The Mann–Whitney statistic on case counts: ``scores`` and ``positive`` (n,), ``counts`` (B, n).
    """
    order = np.argsort(scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=np.inf))  # the last place of each run of equal scores
    good = np.cumsum((counts * positive)[:, order], axis=1)[:, ends]
    bad = np.cumsum((counts * ~positive)[:, order], axis=1)[:, ends]
    in_run = np.diff(good, axis=1, prepend=0.0)
    bad_in_run = np.diff(bad, axis=1, prepend=0.0)
    beaten = (in_run * (bad - 0.5 * bad_in_run)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(beaten / (good[:, -1] * bad[:, -1]), np.float64)


def macro_auroc(probabilities: Floats, named: NDArray[np.bool_], counts: Floats) -> Floats:
    """(B,) mean AUROC over the columns of ``probabilities`` and ``named`` (n, conditions)."""
    each = np.full((len(counts), named.shape[1]), np.nan)
    for column in range(named.shape[1]):
        each[:, column] = auroc(probabilities[:, column], named[:, column], counts)
    return _mean_of_known(each)


def _mean_of_known(values: Floats) -> Floats:
    """Row means that leave out nan; nan for a row of nan."""
    return np.asarray(np.ma.masked_invalid(values).mean(axis=1).filled(np.nan), np.float64)

"""What is measured of a ranking of conditions against the dermatologists' weighted differential.

For a case, the *leading* conditions are those that weigh most in its differential (several, if they weigh the same).

- ``top-k``: a leading condition is among the k conditions ranked first.
- ``any-k``: any condition of the differential is.
- ``weight-k``: the weight of the k conditions ranked first, as a share of the most that k conditions can weigh.
- ``ndcg-5``: normalised discounted cumulative gain of the first five, gain = weight, discount = log2(1 + rank)
  (Järvelin and Kekäläinen 2002).
- ``macro recall``: the share of top-1 hits among the cases of one condition, averaged over the conditions that at least
  MIN_CASES cases have as their first leading condition. Balanced accuracy, where no two conditions weigh the same.
- ``macro AUROC``: the area under the ROC curve for "the differential names the condition", averaged over the
  conditions that most differentials name.

A condition without any probability is not ranked: it can be no hit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scin.evaluation.cases import Floats, Ints, LabelledCases

CUTS = (1, 3, 5)
DEPTH = max(CUTS)
MIN_CASES = 10
COMMONEST = 10
TOP_1, TOP_3, TOP_5, NDCG, RECALL, AUROC = "top-1", "top-3", "top-5", "ndcg-5", "macro recall", "macro AUROC"

_NO_CONDITION = -1


def ranking(probabilities: Floats, depth: int = DEPTH) -> Ints:
    """(n, C) → (n, depth) columns, most probable first, ties in alphabetical order; −1 where nothing is ranked."""
    depth = min(depth, probabilities.shape[1])
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :depth]
    return np.where(np.take_along_axis(probabilities, order, axis=1) > 0, order, _NO_CONDITION)


def per_case(probabilities: Floats, cases: LabelledCases) -> dict[str, Floats]:
    """Metric → (n,) its value for each case, 0–1; their mean is the metric."""
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
    """The conditions that at least MIN_CASES cases have as their first leading one: macro recall is over these."""
    return np.flatnonzero(np.bincount(top) >= MIN_CASES)


def macro_recall(hits: Floats, top: Ints, conditions: Ints, counts: Floats) -> Floats:
    """(B,) for B resamples. ``counts`` (B, n) says how often each case was drawn; a condition without any is left out.

    ``hits`` (n,) are the top-1 hits and ``top`` (n,) the cases' first leading conditions.
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
    """Row means over what is not nan; nan for a row without any."""
    known = np.isfinite(values)
    total, number = np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)

"""All figures of one protocol's predictions: overall, and by each group of each scale of skin tones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scin.evaluation import metrics
from scin.evaluation.bootstrap import Bootstrap, Figure, Statistic, mean_of
from scin.evaluation.cases import Floats, Ints, LabelledCases
from scin.evaluation.tones import UNKNOWN

Figures = dict[str, Figure]


def overall(probabilities: Floats, cases: LabelledCases, bootstrap: Bootstrap) -> Figures:
    """Metric → figure over all cases."""
    return _figures("all", probabilities, cases, metrics.commonest(cases), bootstrap)


def by_tone(probabilities: Floats, cases: LabelledCases, bootstrap: Bootstrap) -> dict[str, dict[str, Figures]]:
    """Scale → group → metric → figure. AUROC is over the same conditions in every group."""
    conditions = metrics.commonest(cases)
    found: dict[str, dict[str, Figures]] = {}
    for scale, names in cases.tones.items():
        groups = sorted(set(names.tolist()) - {UNKNOWN}, key=_natural)
        found[scale] = {
            group: _figures(group, probabilities[rows], cases.take(rows), conditions, bootstrap)
            for group in groups
            for rows in [np.flatnonzero(names == group)]
        }
    return found


def _figures(name: str, probabilities: Floats, cases: LabelledCases, conditions: Ints, bootstrap: Bootstrap) -> Figures:
    values = metrics.per_case(probabilities, cases)
    statistics: dict[str, Statistic] = {metric: mean_of(of_cases) for metric, of_cases in values.items()}
    judged = metrics.judged_conditions(cases.top)
    statistics[metrics.RECALL] = lambda counts: metrics.macro_recall(values[metrics.TOP_1], cases.top, judged, counts)
    named = _told_apart(cases.weights[:, conditions] > 0)
    columns = conditions[named]
    statistics[metrics.AUROC] = lambda counts: metrics.macro_auroc(
        probabilities[:, columns], cases.weights[:, columns] > 0, counts
    )
    return bootstrap.figures(name, len(cases), statistics)


def _told_apart(positive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which columns have enough cases on both sides for a curve."""
    there = positive.sum(axis=0)
    return np.asarray((there >= metrics.MIN_CASES) & (len(positive) - there >= metrics.MIN_CASES), np.bool_)


def _natural(group: str) -> tuple[str, int]:
    """Monk 10 after Monk 9."""
    scale, _, number = group.rpartition(" ")
    return scale, int(number.split("–")[0])

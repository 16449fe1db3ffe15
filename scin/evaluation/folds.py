"""Seeded folds that keep together what belongs together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from scin.evaluation.cases import Ints, LabelledCases


def case_folds(cases: LabelledCases, folds: int, seed: int) -> Ints:
    """(n,) each case's fold, 0 … folds − 1. The same seed gives the same folds.

    All photos of a case, and all cases that share a photo, are in one fold; the leading conditions are spread evenly.
    Raises ValueError if there are fewer groups than folds.
    """
    return grouped_folds(cases.top, cases.groups, folds, seed)


def grouped_folds(labels: Ints, groups: Ints, folds: int, seed: int) -> Ints:
    """(n,) folds of samples with these labels, no group in two of them."""
    if len(np.unique(groups)) < folds:
        raise ValueError(f"{len(np.unique(groups))} groups cannot make {folds} folds")
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    fold = np.zeros(len(labels), np.intp)
    for number, (_, held_out) in enumerate(splitter.split(labels, _without_rare(labels, folds), groups)):
        fold[held_out] = number
    return fold


def straddling(fold: Ints, *memberships: Sequence[int] | Ints) -> int:
    """How many members of any membership (a case, a picture …) lie in more than one fold: 0 unless a split leaks."""
    leaks = 0
    for members in memberships:
        pairs = np.unique(np.stack([np.asarray(members), fold]), axis=1)
        leaks += int((np.unique(pairs[0], return_counts=True)[1] > 1).sum())
    return leaks


def _without_rare(labels: Ints, folds: int) -> Ints:
    """Conditions with fewer cases than folds become one: they cannot be spread over all folds one by one."""
    counts = np.bincount(labels)
    common = counts >= folds
    merged = np.where(common[labels], labels, len(counts))
    # what was merged may itself be too little: it then joins the commonest
    few = (merged == len(counts)).sum() < folds
    return np.where(merged == len(counts), counts.argmax(), merged) if few else merged

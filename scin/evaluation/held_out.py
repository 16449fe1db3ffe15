"""Every case answered by parameters, neighbours and calibration that never saw it: the outer folds."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from scin.evaluation.calibrating import COVERAGES, Fitted, calibrate, neighbours_by, nonconformity
from scin.evaluation.cases import Floats, Ints, LabelledCases
from scin.evaluation.neighbours import mean_distance
from scin.evaluation.probe import probe
from scin.evaluation.selection import Choice, choose
from scin.evaluation.tones import OWN_GROUP
from scin.evaluation.voting import vote_shares

VOTE, PROBE, PRIOR = "kNN vote", "logistic-regression probe", "commonest conditions"


@dataclass(frozen=True)
class HeldOut:
    """For n cases and C conditions, each case as the folds that lack it answer it.

    ``probabilities``: protocol → (n, C), where the vote's are its plain shares; ``calibrated`` (n, C) are the
    calibrated shares. ``covered`` and ``set_sizes``: coverage → (n,), for the conformal set of the case's tone group.
    ``outliers`` (n,) marks what lies beyond the distance threshold. ``choices`` has one entry a fold.
    """

    fold: Ints
    probabilities: dict[str, Floats]
    calibrated: Floats
    covered: dict[float, NDArray[np.bool_]]
    set_sizes: dict[float, Ints]
    outliers: NDArray[np.bool_]
    choices: tuple[Choice, ...]
    strengths: tuple[float, ...]


def answer_held_out(
    cases: LabelledCases, fold: Ints, seed: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> HeldOut:
    """Choose, calibrate and learn on all folds but one, and answer that one; each fold on a core of its own.

    BLAS gets one thread: threads that wait for each other, in fits of many small steps, take ten times as long on a
    busy machine.
    """
    n, conditions = cases.weights.shape
    found = HeldOut(
        fold=fold,
        probabilities={protocol: np.zeros((n, conditions)) for protocol in (VOTE, PROBE, PRIOR)},
        calibrated=np.zeros((n, conditions)),
        covered={coverage: np.zeros(n, np.bool_) for coverage in COVERAGES},
        set_sizes={coverage: np.zeros(n, np.intp) for coverage in COVERAGES},
        outliers=np.zeros(n, np.bool_),
        choices=(),
        strengths=(),
    )
    folds = int(fold.max()) + 1

    def answer_fold(number: int) -> tuple[Choice, float]:
        rows = np.flatnonzero(fold == number)
        training, tested = cases.take(np.flatnonzero(fold != number)), cases.take(rows)
        choice = choose(training, seed)
        _answer(found, rows, training, tested, choice=choice, fitted=calibrate(choice, training, seed))
        found.probabilities[PROBE][rows], strength = probe(training, tested, seed)
        return choice, strength

    chosen = []
    with threadpool_limits(1), ThreadPoolExecutor(min(folds, os.cpu_count() or 1)) as pool:
        for result in pool.map(answer_fold, range(folds)):
            chosen.append(result)
            progress(len(chosen), folds)
    choices, strengths = zip(*chosen, strict=True)
    return replace(found, choices=choices, strengths=strengths)


def _answer(
    found: HeldOut, rows: Ints, training: LabelledCases, tested: LabelledCases, *, choice: Choice, fitted: Fitted
) -> None:
    near = neighbours_by(choice, tested, training)
    shares = vote_shares(near, training, choice.vote)
    calibrated = fitted.apply(shares)
    found.probabilities[VOTE][rows] = shares
    found.probabilities[PRIOR][rows] = fitted.prior
    found.calibrated[rows] = calibrated
    found.outliers[rows] = mean_distance(near, choice.vote.neighbours) > fitted.outlier
    scores = nonconformity(calibrated, tested.leading)
    for coverage in COVERAGES:
        limits = np.array([fitted.threshold(coverage, str(group)) for group in tested.tones[OWN_GROUP]])
        found.covered[coverage][rows] = scores <= limits
        found.set_sizes[coverage][rows] = (1.0 - calibrated <= limits[:, None]).sum(axis=1)

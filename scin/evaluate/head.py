"""Fits the heads of an index: multinomial logistic regressions on the whole differentials (soft targets).

The loss is the cross-entropy between a case's differential and its predicted shares, summed over the cases, plus half
the squared weights divided by ``strength`` (scikit-learn's C). It is minimised by L-BFGS (Liu and Nocedal 1989). One
row a case is faster than scikit-learn's, which needs one row for each condition of a case.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from scin.evaluate.cases import Floats, Ints, LabelledCases
from scin.index.head import Head

STRENGTHS = (0.001, 0.004, 0.016, 0.064)
BALANCES = (0.0, 0.5, 1.0)
#: the head does not learn conditions whose weights sum to less than one case
_LEAST_WEIGHT = 1.0
_ITERATIONS, _TOLERANCE = 150, 2e-5
_LEAST_SPREAD = 1e-6

Rows = NDArray[np.float32]


class HeadSpec(NamedTuple):
    """``strength``: inverse of the regularisation. ``balance``: a condition weighs frequency^−balance; 0 leaves the
    cases as they are, 1 gives every condition the same weight."""

    strength: float = 0.004
    balance: float = 0.0

    @property
    def name(self) -> str:
        return f"C {self.strength:g}, balance {self.balance:g}"


def head_specs() -> tuple[HeadSpec, ...]:
    """The heads that are tried: strongest regularisation first, so that each fit starts from a similar one."""
    return tuple(HeadSpec(strength, balance) for balance in BALANCES for strength in STRENGTHS)


def mean_embeddings(cases: LabelledCases) -> Rows:
    """(n, dimension) the mean embedding of each case's photos."""
    total = np.add.reduceat(cases.vectors[cases.photos], cases.starts, axis=0)
    return np.asarray(total / cases.photos_per_case[:, None], np.float32)


def fit_heads(specs: Sequence[HeadSpec], cases: LabelledCases) -> list[Head]:
    """Fit each spec to the cases. Features are standardised; the heads contain the scaling."""
    features = mean_embeddings(cases)
    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), _LEAST_SPREAD)
    scaled = np.asarray((features - mean) / spread, np.float32)
    learnt = np.flatnonzero(cases.weights.sum(axis=0) >= _LEAST_WEIGHT)
    if not len(learnt):  # of conditions that are all rare, the commonest is learnt
        learnt = cases.weights.sum(axis=0).argmax(keepdims=True)
    names = tuple(cases.conditions[column] for column in learnt)
    found = []
    for balance, group in groupby(specs, key=lambda spec: spec.balance):
        targets = _balanced(cases.weights[:, learnt], balance)
        solution = np.zeros((scaled.shape[1] + 1, len(learnt)), np.float32)
        for spec in group:
            solution = _minimise(scaled, targets, spec.strength, solution)
            weights = np.asarray(solution[:-1] / spread[:, None], np.float32)
            found.append(Head(names, weights, np.asarray(solution[-1] - mean @ weights, np.float32)))
    return found


def head_shares(head: Head, cases: LabelledCases) -> Floats:
    """(n, C) the head's shares of all conditions of ``cases``, which include the head's."""
    return head.of(cases.conditions).shares(mean_embeddings(cases))


def held_out_heads(specs: Sequence[HeadSpec], cases: LabelledCases, fold: Ints, judged: Sequence[int]) -> list[Floats]:
    """For each spec the (n, C) shares by heads that are fitted without the case's fold. Rows of folds that are not in
    ``judged`` are zero."""
    found = [np.zeros(cases.weights.shape) for _ in specs]
    for number in judged:
        rows = np.flatnonzero(fold == number)
        heads = fit_heads(specs, cases.take(np.flatnonzero(fold != number)))
        for shares, head in zip(found, heads, strict=True):
            shares[rows] = head_shares(head, cases.take(rows))
    return found


def _balanced(weights: Floats, balance: float) -> Rows:
    """The targets (n, C): each condition is multiplied by frequency^−balance; their sum stays that of ``weights``."""
    totals = weights.sum(axis=0)
    factors = (totals / totals.mean()) ** -balance
    factors *= totals.sum() / (totals * factors).sum()
    return np.asarray(weights * factors, np.float32)


def _minimise(features: Rows, targets: Rows, strength: float, start: Rows) -> Rows:
    """The (dimension + 1, C) weights and, in the last row, intercepts with the least loss."""
    mass, scale = targets.sum(axis=1, keepdims=True), 1.0 / max(float(targets.sum()), 1.0)

    def loss(flat: Floats) -> tuple[float, Floats]:
        table = flat.reshape(start.shape).astype(np.float32)
        scores = features @ table[:-1] + table[-1]
        scores -= scores.max(axis=1, keepdims=True)
        powers = np.exp(scores)
        sums = powers.sum(axis=1, keepdims=True)
        errors = powers * (mass / sums) - targets
        value = float((mass * np.log(sums)).sum(dtype=np.float64) - (targets * scores).sum(dtype=np.float64))
        value += 0.5 / strength * float((table[:-1] ** 2).sum(dtype=np.float64))
        gradient = np.concatenate([features.T @ errors + table[:-1] / strength, errors.sum(axis=0, keepdims=True)])
        return scale * value, scale * gradient.ravel().astype(np.float64)

    options = {"maxiter": _ITERATIONS, "ftol": 1e-7, "gtol": _TOLERANCE, "maxcor": 10}
    found = minimize(loss, start.ravel().astype(np.float64), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x.reshape(start.shape), np.float32)

"""Fits the calibration of a chosen vote to the cases it was chosen on, each voted on by others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ml.analysis.decision import ALL
from scin.evaluation.bootstrap import TOO_FEW
from scin.evaluation.cases import Floats, LabelledCases
from scin.evaluation.folds import case_folds
from scin.evaluation.neighbours import Neighbours, mean_distance, nearest
from scin.evaluation.selection import Choice
from scin.evaluation.tones import OWN_GROUP, UNKNOWN
from scin.evaluation.voting import vote_shares
from scin.index.vectors import fit_transforms
from scin.index.vote import Quantile, Scaling, probabilities

COVERAGES = (0.8, 0.9, 0.95)
#: percentile of the distance among the index's own cases beyond which a case is unlike them
OUTLIER_PERCENTILE = 99
#: of the logarithm of the temperature, and of the doubt's intercept and slope: it never grows with agreement
_BOUNDS = ((-2.3, 2.3), (-8.0, 8.0), (-8.0, 0.0))
_FOLDS = 10
_BINS = 15
_START = (0.0, -1.0, -1.0)


@dataclass(frozen=True)
class Fitted:
    """``prior`` (C,); ``quantiles``: coverage → tone group → quantile; ``distances`` (101,) percentiles."""

    scaling: Scaling
    prior: Floats
    quantiles: dict[float, dict[str, Quantile]]
    distances: Floats

    @property
    def outlier(self) -> float:
        return float(self.distances[OUTLIER_PERCENTILE])

    def apply(self, shares: Floats) -> Floats:
        return probabilities(shares, self.prior, self.scaling)

    def threshold(self, coverage: float, group: str) -> float:
        """Conditions with 1 − p up to this belong in the set. A group without a quantile of its own has all in it."""
        known = self.quantiles[coverage]
        value = known[group].value if group in known else known[ALL].value
        return 1.0 if value is None else value


def calibrate(choice: Choice, cases: LabelledCases, seed: int) -> Fitted:
    """Vote on each tenth of the cases by the other nine, as serving votes on a new case; fit to the votes.

    The transform is fitted anew to the nine: whitened vectors lie further from each other than new ones do from them.
    """
    shares, distances = np.zeros(cases.weights.shape), np.zeros(len(cases))
    fold = case_folds(cases, _FOLDS, seed)
    for number in range(_FOLDS):
        rows = np.flatnonzero(fold == number)
        asked, others = cases.take(rows), cases.take(np.flatnonzero(fold != number))
        found = neighbours_by(choice, asked, others)
        shares[rows] = vote_shares(found, others, choice.vote)
        distances[rows] = mean_distance(found, choice.vote.neighbours)
    prior = cases.weights.mean(axis=0)
    scaling = fit_scaling(shares, prior, cases.first)
    scores = nonconformity(probabilities(shares, prior, scaling), cases.leading)
    return Fitted(
        scaling=scaling,
        prior=prior,
        quantiles={coverage: quantiles(scores, cases.tones[OWN_GROUP], coverage) for coverage in COVERAGES},
        distances=np.percentile(distances, np.arange(101)),
    )


def neighbours_by(choice: Choice, asked: LabelledCases, others: LabelledCases) -> Neighbours:
    """The voters on each asked case among the others, with the chosen transform fitted to the others."""
    (transform,) = fit_transforms([choice.transform.spec], others.vectors[np.unique(others.photos)])
    moved = transform.apply(asked.vectors), transform.apply(others.vectors)
    return nearest(asked, moved[0], others, moved[1], depth=choice.vote.neighbours)


def fit_scaling(shares: Floats, prior: Floats, first: Floats) -> Scaling:
    """The scaling with the least negative log-likelihood of the first conditions, ``first`` (n, C)."""

    def scaling(parameters: Floats) -> Scaling:
        return Scaling(float(np.exp(parameters[0])), float(parameters[1]), float(parameters[2]))

    def loss(parameters: Floats) -> float:
        return negative_log_likelihood(probabilities(shares, prior, scaling(parameters)), first)

    return scaling(minimize(loss, _START, method="L-BFGS-B", bounds=_BOUNDS).x)


def negative_log_likelihood(given: Floats, first: Floats) -> float:
    """Mean −log of the probability (n, C) of the first condition; of several that lead alike, of each its part."""
    logs = np.log(np.maximum(given, np.finfo(np.float64).tiny))
    return float(-(first * logs).sum(axis=1).mean())


def nonconformity(given: Floats, leading: NDArray[np.bool_]) -> Floats:
    """(n,) 1 − the largest probability of a leading condition: a set up to there holds one of them."""
    return np.asarray(1.0 - np.where(leading, given, 0.0).max(axis=1), np.float64)


def quantiles(scores: Floats, groups: NDArray[np.str_], coverage: float) -> dict[str, Quantile]:
    """Tone group (and "all") → conformal quantile of its cases; None below TOO_FEW cases."""
    members = {ALL: np.ones(len(scores), np.bool_)}
    members |= {group: groups == group for group in sorted(set(groups.tolist()) - {UNKNOWN})}
    return {
        group: Quantile(int(inside.sum()), conformal_quantile(scores[inside], coverage))
        for group, inside in members.items()
    }


def conformal_quantile(scores: Floats, coverage: float) -> float | None:
    """The ⌈(n + 1) · coverage⌉-th smallest of n scores (split conformal prediction, Vovk et al. 2005)."""
    n = len(scores)
    place = int(np.ceil((n + 1) * coverage))
    return None if n < TOO_FEW or place > n else float(np.sort(scores)[place - 1])


def calibration_error(confidence: Floats, correct: Floats) -> float:
    """Expected calibration error: mean |confidence − accuracy| over 15 bins of equal width (Guo et al. 2017)."""
    place = np.minimum((confidence * _BINS).astype(np.intp), _BINS - 1)
    gaps = np.bincount(place, correct, _BINS) - np.bincount(place, confidence, _BINS)
    return float(np.abs(gaps).sum() / max(1, len(confidence)))

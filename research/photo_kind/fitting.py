"""Weighted logistic regressions, calibrated with cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_FOLDS = 5
#: embeddings have unit length; scaling them makes the usual range of penalties appropriate
_SCALE = 10.0
#: share of a picture's weight that is divided among its variations
_VARIATIONS = 0.2


@dataclass(frozen=True, eq=False)
class Embedded:
    """Embeddings (n, 1 + variations, dimension), the unchanged picture first. Folds do not split ``groups`` (n,)."""

    vectors: NDArray[np.float32]
    groups: NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Question:
    """The task of one head: recognize the ``positive`` (n,) among the ``asked`` (n,) pictures, with ``weight`` (n,)."""

    positive: Flags
    asked: Flags
    weight: Floats
    penalty: float  # scikit-learn's C


@dataclass(frozen=True, eq=False)
class Line:
    """Log-odds of an embedding: ``weights`` · embedding + ``bias``."""

    weights: Floats
    bias: float

    def log_odds(self, vectors: NDArray[np.float32]) -> Floats:
        return np.asarray(vectors @ self.weights + self.bias, np.float64)

    def scaled(self, slope: float, shift: float) -> Line:
        return Line(self.weights * slope, self.bias * slope + shift)


def fit(data: Embedded, question: Question, among: Flags) -> Line:
    """A logistic regression on the asked pictures within ``among`` (n,). Both classes have equal total weight."""
    used = question.asked & among
    vectors, positive, weight = data.vectors[used], question.positive[used], question.weight[used].copy()
    for side in (positive, ~positive):
        weight[side] *= len(weight) / 2 / weight[side].sum()
    shares = np.full(vectors.shape[1], _VARIATIONS / (vectors.shape[1] - 1))
    shares[0] = 1 - _VARIATIONS
    model = LogisticRegression(C=question.penalty, max_iter=4000)
    model.fit(
        vectors.reshape(-1, vectors.shape[2]) * _SCALE,
        np.repeat(positive, vectors.shape[1]),
        sample_weight=(weight[:, None] * shares).ravel(),
    )
    return Line(model.coef_[0] * _SCALE, float(model.intercept_[0]))


def unseen_log_odds(data: Embedded, question: Question) -> Floats:
    """(n,) log-odds of each unchanged picture by a fit without its group. Other pictures use the fit to all."""
    everything = np.ones(len(question.positive), np.bool_)
    result = fit(data, question, everything).log_odds(data.vectors[:, 0])
    asked = np.flatnonzero(question.asked)
    for train, test in GroupKFold(_FOLDS).split(asked, groups=data.groups[asked]):
        among = np.zeros_like(everything)
        among[asked[train]] = True
        result[asked[test]] = fit(data, question, among).log_odds(data.vectors[asked[test], 0])
    return result


def calibration(log_odds: Floats, positive: Flags, weight: Floats) -> tuple[float, float]:
    """Slope and shift that calibrate log-odds (Platt 1999). Both classes have equal total weight."""
    weight = weight.copy()
    for side in (positive, ~positive):
        weight[side] *= len(weight) / 2 / weight[side].sum()
    model = LogisticRegression(C=1e6).fit(log_odds[:, None], positive, sample_weight=weight)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def equal_sources(sources: Sequence[str], share: Mapping[str, float]) -> Floats:
    """(n,) weights that give each source in ``share`` that share, whatever its size. Other pictures have weight 1."""
    names = np.array(sources)
    weight = np.ones(len(names))
    total = sum(int((names == source).sum()) for source in share)
    for source, part in share.items():
        weight[names == source] = part * total / (names == source).sum()
    return weight

"""A logistic-regression probe on frozen embeddings: what they hold, whatever the neighbours say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from scin.evaluation.cases import Floats, Ints, LabelledCases
from scin.evaluation.folds import case_folds
from scin.evaluation.selection import INNER_FOLDS, criterion

STRENGTHS = (0.001, 0.01, 0.1)  # of regularisation: the inverse, scikit-learn's C
#: conditions that weigh less than this many cases are not learnt
LEAST_WEIGHT = 1.0
_ITERATIONS = 300
_TOLERANCE = 1e-3


def probe(training: LabelledCases, tested: LabelledCases, seed: int) -> tuple[Floats, float]:
    """((n, C) probabilities of the tested cases, the C chosen). One inner fold of the training cases chooses C.

    A case is the mean of its photos' embeddings, each dimension standardised over the training cases. It is learnt
    as its whole differential: once for each of its conditions, weighing as much as they do.
    """
    features = case_features(training)
    inner = case_folds(training, INNER_FOLDS, seed)
    held_out, kept = np.flatnonzero(inner == 0), np.flatnonzero(inner != 0)
    judged = training.take(held_out)
    scores = [
        criterion(_predict(features[kept], training.weights[kept], features[held_out], strength), judged)
        for strength in STRENGTHS
    ]
    strength = STRENGTHS[int(np.argmax(scores))]
    return _predict(features, training.weights, case_features(tested), strength), strength


def case_features(cases: LabelledCases) -> NDArray[np.float32]:
    """(n, dimension) the mean of each case's photos' embeddings."""
    total = np.add.reduceat(cases.vectors[cases.photos], cases.starts, axis=0)
    return np.asarray(total / cases.photos_per_case[:, None], np.float32)


def _predict(features: NDArray[np.float32], weights: Floats, tested: NDArray[np.float32], strength: float) -> Floats:
    probabilities = np.zeros((len(tested), weights.shape[1]))
    learnt = np.flatnonzero(weights.sum(axis=0) >= LEAST_WEIGHT)
    rows, columns = np.nonzero(weights[:, learnt])
    classes: Ints = learnt[columns]
    if len(np.unique(classes)) < 2:
        probabilities[:, np.unique(classes)] = 1.0
        return probabilities
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=_TOLERANCE)
    model.fit(scaler.transform(features)[rows], classes, sample_weight=weights[rows, classes])
    probabilities[:, model.classes_] = model.predict_proba(scaler.transform(tested))
    return probabilities

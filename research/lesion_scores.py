"""Scores of lesion classifiers. They equal those of ``isic-challenge-scoring``, the reference scorer of the ISIC
challenges, which a test compares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.metrics import roc_auc_score

from ml.models.classifier import soften

Floats = NDArray[np.float64]
Classes = NDArray[np.str_] | NDArray[np.intp]

_RESAMPLES, _SEED = 1000, 1


def accuracy(truth: Classes, predicted: Classes) -> float:
    """The share of n photos whose predicted class (n,) is the true one (n,)."""
    return float((truth == predicted).mean())


def balanced_accuracy(truth: Classes, predicted: Classes) -> float:
    """The mean over the true classes of the share of each that is recognized."""
    return float(np.mean([(predicted[truth == one] == one).mean() for one in np.unique(truth)]))


def auc(positive: NDArray[np.bool_], score: Floats) -> float:
    """The area under the ROC curve: how often a positive photo has a higher score (n,) than another one."""
    return float(roc_auc_score(positive, score))


def interval(measure: Callable[[NDArray[np.intp]], float], truth: Classes) -> tuple[float, float]:
    """The 95% bootstrap interval of ``measure``, which takes the positions of a resample. Each class of ``truth`` is
    resampled separately, so that none gets lost."""
    rng = np.random.default_rng(_SEED)
    places = [np.flatnonzero(truth == one) for one in np.unique(truth)]
    resamples = [np.concatenate([rng.choice(own, len(own)) for own in places]) for _ in range(_RESAMPLES)]
    low, high = np.percentile([measure(picked) for picked in resamples], (2.5, 97.5))
    return float(low), float(high)


def fit_temperature(probabilities: Floats, truth: NDArray[np.intp]) -> float:
    """The temperature that minimizes the negative log-likelihood of (n, C) probabilities (Guo et al. 2017)."""
    found = minimize_scalar(lambda t: nll(soften(probabilities, np.exp(t)), truth), bounds=(-2, 3), method="bounded")
    return float(np.exp(found.x))


def calibrated_apart(probabilities: Floats, truth: NDArray[np.intp]) -> Floats:
    """Calibrated probabilities (n, C), each with the temperature of all other photos (leave one out)."""
    others = [np.arange(len(truth)) != row for row in range(len(truth))]
    fits = [fit_temperature(probabilities[kept], truth[kept]) for kept in others]
    return np.stack([soften(row, fit) for row, fit in zip(probabilities, fits, strict=True)])


def nll(probabilities: Floats, truth: NDArray[np.intp]) -> float:
    """The mean negative log-likelihood of the true classes."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)).mean())

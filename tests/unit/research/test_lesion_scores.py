"""The scores of lesion classifiers are those of the reference scorer of the ISIC challenges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from isic_challenge_scoring import metrics
from isic_challenge_scoring.confusion import create_binary_confusion_matrix

from ml.models.classifier import soften
from research.lesion_scores import accuracy, auc, balanced_accuracy, fit_temperature, interval

CODES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
COUNTS = (5, 9, 21, 4, 17, 90, 4)  # about the proportions of the ISIC 2018 task 3 test set
MALIGNANT = [0, 1, 4]


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return np.repeat(np.arange(len(CODES)), COUNTS)


@pytest.fixture(scope="module")
def probabilities(truth: np.ndarray) -> np.ndarray:
    """Predictions that are right about two times in three."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(len(truth), len(CODES))) + 2.0 * np.eye(len(CODES))[truth]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def table(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, columns=list(CODES))


def weights(n: int) -> pd.Series:
    return pd.Series(np.ones(n))


def test_balanced_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> None:
    expected = metrics.balanced_multiclass_accuracy(
        table(np.eye(len(CODES))[truth]), table(probabilities), weights(len(truth))
    )
    assert 0.3 < expected < 0.95
    assert balanced_accuracy(truth, probabilities.argmax(axis=1)) == pytest.approx(expected)


def test_accuracy(truth: np.ndarray, probabilities: np.ndarray) -> None:
    """The reference scorer has an accuracy of each class against the rest. A wrong answer is an error of two classes:
    the true one and the predicted one."""
    found = probabilities.argmax(axis=1)
    of_each = [
        metrics.binary_accuracy(
            create_binary_confusion_matrix(
                truth_binary_values=truth == one,
                prediction_binary_values=found == one,
                weights=np.ones(len(truth)),
                name=CODES[one],
            )
        )
        for one in range(len(CODES))
    ]
    assert accuracy(truth, found) == pytest.approx(1 - sum(1 - share for share in of_each) / 2)


def test_the_auc_of_malignancy(truth: np.ndarray, probabilities: np.ndarray) -> None:
    malignant, score = np.isin(truth, MALIGNANT), probabilities[:, MALIGNANT].sum(axis=1)
    expected = metrics.auc(pd.Series(malignant), pd.Series(score), weights(len(truth)))
    assert 0.6 < expected < 1
    assert auc(malignant, score) == pytest.approx(expected)


def test_an_interval_holds_the_value_and_is_narrower_with_more_photos(truth: np.ndarray) -> None:
    right = np.random.default_rng(1).random(len(truth)) < 0.7
    low, high = interval(lambda picked: float(right[picked].mean()), truth)
    assert low < right.mean() < high
    more = np.tile(right, 9)
    close_low, close_high = interval(lambda picked: float(more[picked].mean()), np.tile(truth, 9))
    assert close_high - close_low < (high - low) / 2


def test_the_temperature_is_found_again(truth: np.ndarray, probabilities: np.ndarray) -> None:
    right = fit_temperature(probabilities, truth)
    assert fit_temperature(soften(probabilities, 0.5), truth) == pytest.approx(right * 2, rel=1e-3)

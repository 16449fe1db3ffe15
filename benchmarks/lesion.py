"""``python -m benchmarks.lesion FOLDER``: the lesion classifier on labelled dermatoscopic photos.

FOLDER holds the photos and ``labels.csv`` (file, dx: one of akiec bcc bkl df mel nv vasc), as a selection of the
ISIC 2018 task 3 test set does. Prints shares with their 95% Wilson intervals, of the calibrated probabilities that the
service answers with; the area under the curve of the malignant probability, raw and calibrated; the temperature that
ml.models.classifier holds, with its bootstrap interval, and what it does to the negative log-likelihood and the
calibration error, each photo judged by a temperature that was fitted to the others; and the same for four flips
averaged, at four times the cost.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.metrics import roc_auc_score

from ml.imaging.decode import decode
from ml.models.classifier import MALIGNANT, TEMPERATURE, THRESHOLD, LesionClassifier, soften
from ml.models.loading import load_models
from ml.models.registry import LESION_CODES
from ml.values import RGB, Patient

_Z = 1.959964
_RESAMPLES, _SEED = 1000, 1
_FLIPS = ((1, 1), (-1, 1), (1, -1), (-1, -1))
Floats = NDArray[np.float64]


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95% interval of a share (Wilson 1927)."""
    centre = (hits + _Z**2 / 2) / (n + _Z**2)
    half = _Z / (n + _Z**2) * math.sqrt(hits * (n - hits) / n + _Z**2 / 4)
    return centre - half, centre + half


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    options = parser.parse_args(arguments)
    with (options.folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    models = load_models(options.models, encoder="efficientnet-lite0", classifier="sklesion", faces=False, threads=1)
    photos = [decode((options.folder / row["file"]).read_bytes()).rgb for row in rows]
    probabilities = np.concatenate([models.classifier.probabilities([photo], Patient()) for photo in photos])
    truth = np.array([LESION_CODES.index(row["dx"]) for row in rows])
    columns = [LESION_CODES.index(code) for code in MALIGNANT]
    malignant = np.isin(truth, columns)
    calibrated = soften(probabilities, TEMPERATURE)
    raw_score, score = probabilities[:, columns].sum(axis=1), calibrated[:, columns].sum(axis=1)
    right = probabilities.argmax(axis=1) == truth
    tell_share("accuracy", right)
    tell_share(f"sensitivity (malignant probability ≥ {THRESHOLD})", score[malignant] >= THRESHOLD)
    tell_share(f"specificity (malignant probability < {THRESHOLD})", score[~malignant] < THRESHOLD)
    print(f"malignancy AUC: raw {roc_auc_score(malignant, raw_score):.4f}, ", end="")
    print(f"calibrated {roc_auc_score(malignant, score):.4f}")
    print(f"mean confidence: raw {probabilities.max(axis=1).mean():.3f}, ", end="")
    print(f"calibrated {calibrated.max(axis=1).mean():.3f}")
    _tell_temperature("single pass", probabilities.astype(np.float64), truth)
    print(f"ml.models.classifier.TEMPERATURE is {TEMPERATURE:g}")
    _tell_temperature("four flips averaged", _flipped(models.classifier, photos), truth)
    return 0


def _flipped(classifier: LesionClassifier, photos: list[RGB]) -> Floats:
    """(n, 7): the mean of the probabilities of a photo, mirrored along either axis and along both."""
    views = [[np.ascontiguousarray(photo[::down, ::across]) for down, across in _FLIPS] for photo in photos]
    return np.stack([classifier.probabilities(one, Patient()).mean(axis=0) for one in views]).astype(np.float64)


def fit_temperature(probabilities: Floats, truth: NDArray[np.intp]) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017) of (n, C) probabilities."""
    found = minimize_scalar(lambda t: _nll(soften(probabilities, np.exp(t)), truth), bounds=(-2, 3), method="bounded")
    return float(np.exp(found.x))


def _nll(probabilities: Floats, truth: NDArray[np.intp]) -> float:
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)).mean())


def _ece(probabilities: Floats, truth: NDArray[np.intp], bins: int = 10) -> float:
    """Expected calibration error: mean |confidence − accuracy| over bins of equal width."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    gaps = np.bincount(place, right, bins) - np.bincount(place, confidence, bins)
    return float(np.abs(gaps).sum() / len(truth))


def _tell_temperature(what: str, probabilities: Floats, truth: NDArray[np.intp]) -> None:
    """The temperature of all photos, and what it does where each photo has that of the others."""
    n, rng = len(truth), np.random.default_rng(_SEED)
    resamples = [rng.integers(0, n, n) for _ in range(_RESAMPLES)]
    low, high = np.percentile([fit_temperature(probabilities[rows], truth[rows]) for rows in resamples], (2.5, 97.5))
    others = [np.flatnonzero(np.arange(n) != row) for row in range(n)]
    held_out = np.stack(
        [
            soften(probabilities[row], fit_temperature(probabilities[kept], truth[kept]))
            for row, kept in enumerate(others)
        ]
    )
    print(
        f"{what}: temperature {fit_temperature(probabilities, truth):.2f} [{low:.2f}, {high:.2f}] (n = {n}); "
        f"NLL {_nll(probabilities, truth):.3f} → {_nll(held_out, truth):.3f}, "
        f"ECE {_ece(probabilities, truth):.3f} → {_ece(held_out, truth):.3f}"
    )


def tell_share(what: str, hits: NDArray[np.bool_]) -> None:
    """Print the share of ``hits`` (n,) with its 95% interval."""
    low, high = wilson(int(hits.sum()), len(hits))
    print(f"{what}: {hits.mean():.3f} [{low:.3f}, {high:.3f}], {int(hits.sum())} of {len(hits)}")


if __name__ == "__main__":
    sys.exit(main())

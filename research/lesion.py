"""``python -m research.lesion FOLDER``: evaluate a lesion classifier on labelled dermatoscopic photos.

FOLDER contains photos and ``labels.csv`` (file, dx: one of akiec bcc bkl df mel nv vasc), for example a part of the
ISIC 2018 task 3 test set. Prints accuracy, sensitivity and specificity of the calibrated probabilities with 95% Wilson
intervals, and the AUC of the malignant probability, raw and calibrated. Then prints the best temperature with its
bootstrap interval, and its effect on negative log-likelihood and calibration error (leave one out). Repeats this for
the average of four flips, which takes four times as long. ``--write FILE`` saves temperature and sensitivity for the
model's registry entry.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.metrics import roc_auc_score

from ml.imaging.decode import decode
from ml.models.classifier import LesionClassifier, soften
from ml.models.loading import load_classifier
from ml.models.spec import ModelSpec
from ml.values import RGB, Patient
from research.shares import report_share, wilson

_RESAMPLES, _SEED = 1000, 1
_FLIPS = ((1, 1), (-1, 1), (1, -1), (-1, -1))
Floats = NDArray[np.float64]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--classifier", default="sklesion")
    parser.add_argument("--threshold", type=float, default=0.3, help="malignant probability, calibrated (default .3)")
    parser.add_argument("--write", type=Path, help="write the fit to this JSON file")
    parser.add_argument("--data", default="", help="description of the photos in that file")
    options = parser.parse_args(arguments)
    with (options.folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    classifier = load_classifier(options.models, options.classifier, threads=1)
    codes = classifier.output.codes
    photos = [decode((options.folder / row["file"]).read_bytes()).rgb for row in rows]
    probabilities = np.concatenate([classifier.predict([photo], Patient()) for photo in photos])
    truth = np.array([codes.index(row["dx"]) for row in rows])
    columns = [codes.index(code) for code in classifier.output.malignant]
    malignant = np.isin(truth, columns)
    temperature = round(fit_temperature(probabilities.astype(np.float64), truth), 2)
    calibrated = soften(probabilities, temperature)
    raw_score, score = probabilities[:, columns].sum(axis=1), calibrated[:, columns].sum(axis=1)
    right = probabilities.argmax(axis=1) == truth
    report_share("accuracy", right)
    found = score >= options.threshold
    report_share(f"sensitivity (malignant probability ≥ {options.threshold:g})", found[malignant])
    report_share(f"specificity (malignant probability < {options.threshold:g})", ~found[~malignant])
    print(f"malignancy AUC: raw {roc_auc_score(malignant, raw_score):.4f}, ", end="")
    print(f"calibrated {roc_auc_score(malignant, score):.4f}")
    print(f"mean confidence: raw {probabilities.max(axis=1).mean():.3f}, ", end="")
    print(f"calibrated {calibrated.max(axis=1).mean():.3f}")
    interval = _report_temperature("single pass", probabilities.astype(np.float64), truth)
    if options.write:
        labels = [row["dx"] for row in rows]
        _write_fit(options, classifier.spec, labels, found[malignant], (temperature, interval))
    _report_temperature("four flips averaged", _flipped(classifier, photos), truth)
    return 0


def _write_fit(
    options: argparse.Namespace,
    spec: ModelSpec,
    labels: list[str],
    found: NDArray[np.bool_],
    temperature: tuple[float, tuple[float, float]],
) -> None:
    """Write the file that ``ml.models.spec.Calibration`` reads. ``found``: which malignant lesions were recognized."""
    value, interval = temperature
    fit = {
        "model": {"name": spec.name, "version": spec.version},
        "fitted": {
            "command": f"python -m research.lesion FOLDER --write {options.write}",
            "date": datetime.now(UTC).date().isoformat(),
            "data": options.data,
            "photos": len(labels),
            "photos_by_class": dict(sorted(Counter(labels).items())),
        },
        "temperature": {"value": value, "interval": [round(limit, 2) for limit in interval]},
        "sensitivity": {
            "threshold": options.threshold,
            "malignant": len(found),
            "found": int(found.sum()),
            "interval": [round(limit, 3) for limit in wilson(int(found.sum()), len(found))],
        },
    }
    options.write.write_text(json.dumps(fit, indent=1) + "\n")


def _flipped(classifier: LesionClassifier, photos: list[RGB]) -> Floats:
    """(n, 7) probabilities, each the mean over the photo and its three mirror images."""
    views = [[np.ascontiguousarray(photo[::down, ::across]) for down, across in _FLIPS] for photo in photos]
    return np.stack([classifier.predict(one, Patient()).mean(axis=0) for one in views]).astype(np.float64)


def fit_temperature(probabilities: Floats, truth: NDArray[np.intp]) -> float:
    """The temperature that minimizes the negative log-likelihood of (n, C) probabilities (Guo et al. 2017)."""
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


def _report_temperature(what: str, probabilities: Floats, truth: NDArray[np.intp]) -> tuple[float, float]:
    """Print the temperature of all photos, and its effect with leave-one-out fits. Returns its 95% interval."""
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
    return float(low), float(high)


if __name__ == "__main__":
    sys.exit(main())

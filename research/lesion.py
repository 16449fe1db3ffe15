"""``python -m research.lesion FOLDER``: evaluate a lesion classifier on labelled dermatoscopic photos.

FOLDER contains photos and ``labels.csv`` (file, dx: one of akiec bcc bkl df mel nv vasc), for example a part of the
ISIC 2018 task 3 test set. Compares three answers without facts about the person: the bare model, as it is published;
the service's default; and ``detail=thorough``, the mean over mirror images. Prints accuracy, balanced accuracy and the
AUC of the malignant probability with 95% bootstrap intervals, their differences from the bare model, and the CPU time
of each. Then prints, for each of them, the best temperature with its bootstrap interval, its effect on
negative log-likelihood and calibration error (leave one out), and sensitivity and specificity with Wilson intervals.

``--seen FOLDER`` also scores photos that the model was trained on; such scores say nothing about other photos.
``--write FILE`` saves calibrations and scores for the model's registry entry.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.imaging.decode import decode
from ml.models.classifier import LesionClassifier, soften
from ml.models.compiled import AUTO
from ml.models.loading import load_classifier
from ml.models.preprocess import model_inputs
from ml.models.runtime import run_each
from ml.training.statistics import calibration_error, wilson
from ml.values import RGB, Patient
from research import lesion_scores as scores
from research.lesion_scores import Floats
from research.shares import report_share

_RESAMPLES, _SEED = 1000, 1

Classes = NDArray[np.intp]
Measure = Callable[[Classes, Floats], float]


@dataclass(frozen=True)
class _Set:
    """Labelled photos: ``labels`` (n,), and their positions ``truth`` (n,) in the classifier's codes."""

    name: str
    photos: list[RGB]
    labels: list[str]
    truth: Classes


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    parser.add_argument("--classifier", default="sklesion")
    parser.add_argument("--threshold", type=float, default=0.3, help="malignant probability, calibrated (default .3)")
    parser.add_argument("--seen", type=Path, help="labelled photos that the model was trained on")
    parser.add_argument("--write", type=Path, help="write calibrations and scores to this JSON file")
    parser.add_argument("--data", default="photos that the model has not seen", help="description of FOLDER")
    options = parser.parse_args(arguments)
    classifier = load_classifier(options.models, options.classifier, threads=1, engine=AUTO)
    malignant = [classifier.output.codes.index(code) for code in classifier.output.malignant]
    command = f"python -m research.lesion FOLDER{' --seen TRAINING' if options.seen else ''}"
    figures: dict[str, dict[str, Any]] = {}
    held_out = _read(options.folder, options.data, classifier)
    answers = _answers(classifier, held_out)
    figures |= _scored(held_out, answers, malignant, "", command)
    fits = {name: _calibrate(name, found, held_out.truth, malignant, options) for name, found in answers.items()}
    if options.seen:
        seen = _read(options.seen, "photos that the model was trained on", classifier)
        figures |= _scored(seen, _answers(classifier, seen), malignant, "_seen", command)
    if options.write:
        fitted = {
            "command": f"{command} --write {options.write}",
            "date": datetime.now(UTC).date().isoformat(),
            "data": options.data,
            "photos": len(held_out.labels),
            "photos_by_class": dict(sorted(Counter(held_out.labels).items())),
        }
        model = {"name": classifier.spec.name, "version": classifier.spec.version}
        served = {name: fits[name] for name in ("default", "thorough")}
        document = {"model": model, "fitted": fitted, **served, "figures": figures}
        options.write.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _read(folder: Path, name: str, classifier: LesionClassifier) -> _Set:
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [row["dx"] for row in rows]
    photos = [decode((folder / row["file"]).read_bytes()).rgb for row in rows]
    return _Set(name, photos, labels, np.array([classifier.output.codes.index(label) for label in labels]))


def _answers(classifier: LesionClassifier, photos: _Set) -> dict[str, Floats]:
    """The raw probabilities (n, C) of each kind of answer. Prints the CPU time of each."""

    def bare(photo: RGB) -> Floats:
        inputs = model_inputs(classifier.spec, [photo], Patient())
        return run_each(classifier.spec, classifier.runtime, inputs, "classify").astype(np.float64)

    kinds: dict[str, Callable[[RGB], NDArray[np.floating]]] = {
        "bare": bare,
        "default": lambda photo: classifier.predict([photo], Patient()),
        "thorough": lambda photo: classifier.predict([photo], Patient(), thorough=True),
    }
    found: dict[str, list[NDArray[np.floating]]] = {name: [] for name in kinds}
    spent = dict.fromkeys(kinds, 0.0)
    for photo in photos.photos:
        for name, answer in kinds.items():
            started = time.process_time()
            found[name].append(answer(photo)[0])
            spent[name] += time.process_time() - started
    times = ", ".join(f"{name} {seconds / len(photos.photos) * 1e3:.1f} ms" for name, seconds in spent.items())
    print(f"{photos.name}, n = {len(photos.photos)}. CPU time a photo: {times}")
    return {name: np.stack(rows).astype(np.float64) for name, rows in found.items()}


def _scored(
    photos: _Set, answers: Mapping[str, Floats], malignant: list[int], suffix: str, command: str
) -> dict[str, dict[str, Any]]:
    """Print the scores of each answer, with their differences from the bare model. Returns them under their names."""
    truth, bare = photos.truth, answers["bare"]
    measures: dict[str, Measure] = {
        "accuracy": lambda truth, found: scores.accuracy(truth, found.argmax(axis=1)),
        "balanced_accuracy": lambda truth, found: scores.balanced_accuracy(truth, found.argmax(axis=1)),
        "malignancy_auc": lambda truth, found: scores.auc(np.isin(truth, malignant), found[:, malignant].sum(axis=1)),
    }
    figures = {}
    for measure, score in measures.items():
        for name, found in answers.items():

            def value(picked: Classes, score: Measure = score, found: Floats = found) -> float:
                return score(truth[picked], found[picked])

            def gain(picked: Classes, score: Measure = score, found: Floats = found) -> float:
                return score(truth[picked], found[picked]) - score(truth[picked], bare[picked])

            whole, (low, high) = np.arange(len(truth)), scores.interval(value, truth)
            least, most = scores.interval(gain, truth)
            print(
                f"{measure} {name}: {value(whole):.3f} [{low:.3f}, {high:.3f}]"
                + ("" if name == "bare" else f", {gain(whole):+.3f} [{least:+.3f}, {most:+.3f}] against bare")
            )
            figures[f"{measure}_{name}{suffix}"] = {
                "value": round(value(whole), 3),
                "interval": [round(low, 3), round(high, 3)],
                "n": len(truth),
                "data": photos.name,
                "command": command,
            }
    return figures


def _calibrate(
    name: str, probabilities: Floats, truth: Classes, malignant: list[int], options: argparse.Namespace
) -> dict[str, Any]:
    """Print and return the temperature of all photos, and the sensitivity with it, as ml.models.spec.Calibration reads
    them. The effect of calibration is that of leave-one-out fits."""
    n, rng = len(truth), np.random.default_rng(_SEED)
    resamples = [rng.integers(0, n, n) for _ in range(_RESAMPLES)]
    limits = np.percentile(
        [scores.fit_temperature(probabilities[rows], truth[rows]) for rows in resamples], (2.5, 97.5)
    )
    temperature = round(scores.fit_temperature(probabilities, truth), 2)
    apart = scores.calibrated_apart(probabilities, truth)
    print(
        f"{name}: temperature {temperature} [{limits[0]:.2f}, {limits[1]:.2f}] (n = {n}); "
        f"NLL {scores.nll(probabilities, truth):.3f} → {scores.nll(apart, truth):.3f}, "
        f"ECE {_calibration_error(probabilities, truth):.3f} → {_calibration_error(apart, truth):.3f}"
    )
    calibrated = soften(probabilities, temperature)
    confidences = (probabilities.max(axis=1).mean(), calibrated.max(axis=1).mean())
    print(f"{name}: mean confidence raw {confidences[0]:.3f}, calibrated {confidences[1]:.3f}")
    found = calibrated[:, malignant].sum(axis=1) >= options.threshold
    is_malignant = np.isin(truth, malignant)
    report_share(f"{name}: sensitivity (malignant probability ≥ {options.threshold:g})", found[is_malignant])
    report_share(f"{name}: specificity (malignant probability < {options.threshold:g})", ~found[~is_malignant])
    hits, of = int(found[is_malignant].sum()), int(is_malignant.sum())
    return {
        "temperature": {"value": temperature, "interval": [round(float(limit), 2) for limit in limits]},
        "sensitivity": {
            "threshold": options.threshold,
            "malignant": of,
            "found": hits,
            "interval": [round(limit, 3) for limit in wilson(hits, of)],
        },
    }


def _calibration_error(probabilities: Floats, truth: Classes) -> float:
    """That of the most probable class; ``probabilities`` (n, C), ``truth`` (n,)."""
    return calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth)


if __name__ == "__main__":
    sys.exit(main())

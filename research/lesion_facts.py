"""``python -m research.lesion_facts FOLDER METADATA``: what to tell the lesion classifier about an unknown person.

FOLDER contains photos of HAM10000 and ``labels.csv`` (file, dx), METADATA is the data set's HAM10000_metadata.csv.
Takes the answer with the person's true age, sex and site as the truth. Leaves out all facts, or all but the age, and
compares two answers with it: unknown facts marked as unknown, as the model's author does, or replaced by their means in
the training set, as the service does. Prints the mean Kullback-Leibler divergence from the truth with 95% bootstrap
intervals, and the share of photos with the same most probable class. No labels are used, so it does not matter that the
model has seen the photos.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.imaging.decode import decode
from ml.models.compiled import AUTO
from ml.models.loading import load_classifier
from ml.models.patient import canonical
from ml.models.preprocess import model_inputs
from ml.models.runtime import run_each
from ml.values import RGB, Patient
from research.lesion_scores import Floats, interval


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("metadata", type=Path)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    options = parser.parse_args(arguments)
    classifier = load_classifier(options.models, "sklesion", threads=1, engine=AUTO)

    def answer(photo: RGB, patient: Patient, *, fill: bool) -> Floats:
        inputs = model_inputs(classifier.spec, [photo], patient, fill=fill)
        return np.asarray(run_each(classifier.spec, classifier.runtime, inputs, "classify")[0], np.float64)

    people = {row["image_id"]: _person(row) for row in _rows(options.metadata)}
    truth, found = [], {(known, fill): list[Floats]() for known in ("nothing", "the age") for fill in (False, True)}
    for row in _rows(options.folder / "labels.csv"):
        person = people.get(Path(row["file"]).stem)
        if person is None:
            continue
        photo = decode((options.folder / row["file"]).read_bytes()).rgb
        truth.append(answer(photo, person, fill=False))
        for (known, fill), answers in found.items():
            answers.append(answer(photo, Patient(age=person.age if known == "the age" else None), fill=fill))
    expected = np.stack(truth)
    divergences = {case: _divergence(expected, np.stack(answers)) for case, answers in found.items()}
    for (known, fill), divergence in divergences.items():
        same = (np.stack(found[known, fill]).argmax(axis=1) == expected.argmax(axis=1)).mean()
        how = "replaced by their means" if fill else "marked as unknown"
        print(f"{known} is known, other facts {how}: divergence {_mean(divergence)}, same class {same:.3f}")
        if fill:
            print(f"  difference {_mean(divergence - divergences[known, False])}, n = {len(expected)}")
    return 0


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _person(row: Mapping[str, str]) -> Patient | None:
    """The person of a row of the metadata, or None if a fact is missing."""
    site = canonical(row["localization"])
    if not row["age"] or row["sex"] not in ("female", "male") or site in (None, "unknown"):
        return None
    return Patient(age=float(row["age"]), sex=row["sex"], body_site=site)


def _divergence(truth: Floats, found: Floats) -> Floats:
    """The Kullback-Leibler divergence (n,) of ``found`` (n, C) from ``truth``, in nats."""
    true_logs, logs = (np.log(np.maximum(one, 1e-12)) for one in (truth, found))
    return np.asarray((truth * (true_logs - logs)).sum(axis=1))


def _mean(values: Floats) -> str:
    def mean(picked: NDArray[np.intp]) -> float:
        return float(values[picked].mean())

    low, high = interval(mean, np.zeros(len(values), np.intp))
    return f"{values.mean():.4f} [{low:.4f}, {high:.4f}]"


if __name__ == "__main__":
    sys.exit(main())

"""``python -m benchmarks.lesion FOLDER``: the lesion classifier on labelled dermatoscopic photos.

FOLDER holds the photos and ``labels.csv`` (file, dx: one of akiec bcc bkl df mel nv vasc), as a selection of the
ISIC 2018 task 3 test set does. Prints shares with their 95% Wilson intervals.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from pathlib import Path

import numpy as np

from ml.classifier import MALIGNANT, THRESHOLD
from ml.images import decode
from ml.loading import load_models
from ml.registry import LESION_CODES
from ml.values import Patient

_Z = 1.959964


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
    malignant = np.isin(truth, [LESION_CODES.index(code) for code in MALIGNANT])
    score = probabilities[:, [LESION_CODES.index(code) for code in MALIGNANT]].sum(axis=1)
    right = probabilities.argmax(axis=1) == truth
    _tell("accuracy", right)
    _tell(f"sensitivity (malignant probability ≥ {THRESHOLD})", score[malignant] >= THRESHOLD)
    _tell(f"specificity (malignant probability < {THRESHOLD})", score[~malignant] < THRESHOLD)
    print(f"mean confidence {probabilities.max(axis=1).mean():.3f}")
    return 0


def _tell(what: str, hits: np.ndarray) -> None:
    low, high = wilson(int(hits.sum()), len(hits))
    print(f"{what}: {hits.mean():.3f} [{low:.3f}, {high:.3f}], {int(hits.sum())} of {len(hits)}")


if __name__ == "__main__":
    sys.exit(main())

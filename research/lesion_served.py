"""``python -m research.lesion_served FOLDER --url http://127.0.0.1:8000``: labelled photos, answered over HTTP.

FOLDER is as ``research.lesion`` takes it. Nothing but the photo is sent. Prints what share of the photos got the
lesion classifier's answer, and that answer's accuracy, balanced accuracy and the area under the curve of its malignant
probability; a photo without one counts as wrong, and as not malignant. Intervals: Wilson for shares, 1,000 resamples
for the rest.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from client.api import DEFAULT_URL, Client
from ml.models.registry import find
from research.shares import tell_share
from settings import Settings

_RESAMPLES, _SEED = 1000, 1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default=DEFAULT_URL)
    options = parser.parse_args(arguments)
    with (options.folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    client = Client(options.url)
    lesions = [client.analyze([options.folder / row["file"]])["lesion"] for row in rows]
    truth = np.array([row["dx"] for row in rows])
    said = np.array([lesion["predictions"][0]["code"] if lesion else "none" for lesion in lesions])
    malignant = np.array([lesion["malignant_probability"] if lesion else 0.0 for lesion in lesions])
    tell_share("got the classifier's answer", said != "none")
    tell_share("accuracy", said == truth)
    _tell("balanced accuracy", lambda picked: float(balanced_accuracy_score(truth[picked], said[picked])), truth)
    classes = find(Settings.load().classifier, "classifier").lesion
    is_malignant = np.isin(truth, classes.malignant if classes else ())
    _tell("malignancy AUC", lambda picked: float(roc_auc_score(is_malignant[picked], malignant[picked])), truth)
    return 0


def _tell(what: str, measure: Callable[[NDArray[np.intp]], float], truth: NDArray[np.str_]) -> None:
    """Resampled class by class, so that no class is lost in a resample."""
    rng = np.random.default_rng(_SEED)
    places = [np.flatnonzero(truth == code) for code in np.unique(truth)]
    resamples = [np.concatenate([rng.choice(own, len(own)) for own in places]) for _ in range(_RESAMPLES)]
    low, high = np.percentile([measure(picked) for picked in resamples], (2.5, 97.5))
    print(f"{what}: {measure(np.arange(len(truth))):.3f} [{low:.3f}, {high:.3f}], n = {len(truth)}")


if __name__ == "__main__":
    sys.exit(main())

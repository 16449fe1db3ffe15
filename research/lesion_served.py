"""``python -m research.lesion_served FOLDER --url http://127.0.0.1:8000``: evaluate a running service.

FOLDER has the same form as for ``research.lesion``. Sends each photo with no other field than ``detail``.
Prints the share of photos that the lesion classifier answered, and the accuracy, balanced accuracy and malignancy AUC.
A photo without such an answer counts as wrong and as not malignant. Intervals are Wilson for shares and bootstrap
(1,000 resamples) for the rest.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.dermserve.clients import DEFAULT_URL, Client
from ml.models.registry import find
from research.lesion_scores import auc, balanced_accuracy, interval
from research.shares import report_share
from settings import Settings


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default=DEFAULT_URL)
    parser.add_argument("--detail", default="full", help="full or thorough (default full: numbers are not rounded)")
    options = parser.parse_args(arguments)
    with (options.folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with Client(options.url) as client:
        answers = [client.analyze(options.folder / row["file"], detail=options.detail).lesion for row in rows]
    lesions = [one if one and one.input == "dermatoscopic" else None for one in answers]
    truth = np.array([row["dx"] for row in rows])
    predicted = np.array([lesion.predictions[0].code if lesion else "none" for lesion in lesions])
    malignant = np.array([(lesion.malignant_probability or 0.0) if lesion else 0.0 for lesion in lesions])
    report_share("answered by the lesion classifier", predicted != "none")
    report_share("accuracy", predicted == truth)
    _report("balanced accuracy", lambda picked: balanced_accuracy(truth[picked], predicted[picked]), truth)
    classes = find(Settings.load().classifier, "classifier").lesion
    is_malignant = np.isin(truth, classes.malignant if classes else ())
    _report("malignancy AUC", lambda picked: auc(is_malignant[picked], malignant[picked]), truth)
    return 0


def _report(what: str, measure: Callable[[NDArray[np.intp]], float], truth: NDArray[np.str_]) -> None:
    """Print a measure with its bootstrap interval."""
    low, high = interval(measure, truth)
    print(f"{what}: {measure(np.arange(len(truth))):.3f} [{low:.3f}, {high:.3f}], n = {len(truth)}")


if __name__ == "__main__":
    sys.exit(main())

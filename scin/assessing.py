"""What an index's calibration says of one vote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ml.values import Accuracy, Assessment, Condition, SimilarCase
from scin.calibration import Calibration, probabilities

#: the coverage that served sets state
COVERAGE = 0.9
#: the accuracy that an answer cites
METRIC = "top-1"


def assess(
    conditions: Sequence[Condition], voters: Sequence[SimilarCase], calibration: Calibration, dataset: str
) -> tuple[tuple[Condition, ...], Assessment]:
    """The ``conditions`` of a vote with their calibrated probabilities, and all else that was measured.

    ``voters`` are the cases that voted; ``dataset`` is named beside each accuracy.
    """
    calibrated = _calibrated(conditions, calibration)
    assessment = Assessment(
        probabilities=dict(sorted(calibrated.items(), key=lambda item: (-item[1], item[0]))),
        distance=1.0 - float(np.mean([case.similarity for case in voters])) if voters else 2.0,
        outlier=calibration.outlier,
        coverage=COVERAGE,
        limits={group: found.value for group, found in calibration.quantiles[f"{COVERAGE:.2f}"].items()},
        accuracy=_accuracy(calibration, dataset),
    )
    return tuple(replace(one, calibrated_probability=calibrated[one.name]) for one in conditions), assessment


def _calibrated(conditions: Sequence[Condition], calibration: Calibration) -> dict[str, float]:
    """Every condition of the index → probability; what nobody voted for has its part of the doubt."""
    shares = dict.fromkeys(calibration.prior, 0.0) | {one.name: one.probability for one in conditions}
    prior = np.array([calibration.prior.get(name, 0.0) for name in shares])
    (row,) = probabilities(np.array([list(shares.values())]), prior, calibration.scaling)
    return dict(zip(shares, row.tolist(), strict=True))


def _accuracy(calibration: Calibration, dataset: str) -> Mapping[str, Accuracy]:
    """Tone group → its accuracy, of the groups that had enough cases."""
    told = {}
    for group, metrics in calibration.accuracy.items():
        found = metrics.get(METRIC)
        if found and found.value is not None and found.low is not None and found.high is not None:
            told[group] = Accuracy(group, METRIC, found.value, (found.low, found.high), found.n, dataset)
    return told

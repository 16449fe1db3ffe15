"""What an index's calibration says of one vote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ml.values import Accuracy, Assessment
from scin.calibration import Calibration, probabilities

#: the coverage that served sets state
COVERAGE = 0.9
#: the accuracy that an answer cites
METRIC = "top-1"


class Assessor:
    """Assesses votes by one calibration; ``dataset`` is named beside each accuracy."""

    def __init__(self, calibration: Calibration, dataset: str) -> None:
        self._calibration = calibration
        self._limits = {group: found.value for group, found in calibration.quantiles[f"{COVERAGE:.2f}"].items()}
        self._accuracy = _accuracy(calibration, dataset)
        self._conditions = _Conditions(calibration.prior)

    def assess(self, shares: Mapping[str, float], similarities: Sequence[float]) -> Assessment:
        """``shares``: condition → share of the vote, of those that were voted for; the others have their part of the
        doubt. ``similarities``: those of the cases that were asked to vote."""
        return Assessment(
            probabilities=self._probabilities(shares),
            distance=1.0 - sum(similarities) / len(similarities) if similarities else 2.0,
            outlier=self._calibration.outlier,
            coverage=COVERAGE,
            limits=self._limits,
            accuracy=self._accuracy,
        )

    def _probabilities(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Every condition of the index → probability, the likeliest first and among equals by name."""
        conditions = self._conditions
        if not shares.keys() <= conditions.places.keys():  # a large index is calibrated by a part of its cases
            conditions = _Conditions(dict.fromkeys(shares, 0.0) | dict(self._calibration.prior))
        (found,) = probabilities(conditions.row(shares), conditions.prior, self._calibration.scaling)
        order = np.argsort(-found, kind="stable")
        names = map(conditions.names.__getitem__, order.tolist())
        return dict(zip(names, found[order].tolist(), strict=True))


class _Conditions:
    """Conditions in alphabetical order, and the ``prior`` (C,) of each."""

    def __init__(self, prior: Mapping[str, float]) -> None:
        self.names = sorted(prior)
        self.prior = np.array([prior[name] for name in self.names])
        self.places = {name: place for place, name in enumerate(self.names)}

    def row(self, shares: Mapping[str, float]) -> NDArray[np.float64]:
        """(1, C) the share of each, 0 where none is given."""
        row = np.zeros((1, len(self.names)))
        row[0, [self.places[name] for name in shares]] = list(shares.values())
        return row


def _accuracy(calibration: Calibration, dataset: str) -> Mapping[str, Accuracy]:
    """Tone group → its accuracy, of the groups that had enough cases."""
    told = {}
    for group, metrics in calibration.accuracy.items():
        found = metrics.get(METRIC)
        if found and found.value is not None and found.low is not None and found.high is not None:
            told[group] = Accuracy(group, METRIC, found.value, (found.low, found.high), found.n, dataset)
    return told

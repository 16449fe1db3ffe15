"""The vote of similar cases on conditions, and the calibration of its result.

The calibration (``calibration.json``) contains: parameters that turn shares of the vote into probabilities, thresholds
for sets of stated coverage, the distance from which a photo counts as unlike the index, and the measured accuracy for
each group of skin tones. ``python -m scin evaluate`` fits it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from math import exp, log
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml import values
from ml.errors import ArtifactError
from scin.dataset import icd_10
from scin.index.manifest import Vote, read_json, write_json

#: labels in SCIN that are not conditions but instructions of graders
NOT_CONDITIONS = {"Remove from labeling tool"}
_HIGH, _POSSIBLE = 0.33, 0.10

#: the first conditions by share are listed even if no neighbour votes for them
MOST_WITHOUT_VOTES = 5

CALIBRATION_FILE = "calibration.json"
FORMAT = 3
#: the coverage of the sets that are served
COVERAGE = 0.9
#: the accuracy metric that an answer cites
METRIC = "top-1"
#: shares are clipped to at least this distance from 0 and 1 before the logit
_LEAST_SHARE = 1e-3
_TINY = np.finfo(np.float64).tiny


class Ballot(NamedTuple):
    """How a case votes. ``parts`` are (condition, part of the vote) pairs; the parts sum to 1. A case without a label
    has no parts and does not vote. ``agreement`` is the agreement of its dermatologists, 0–1, or None."""

    case_id: str
    parts: tuple[tuple[str, float], ...]
    agreement: float | None

    @classmethod
    def of(cls, case_id: str, differential: Mapping[str, float], agreement: float | None) -> Ballot:
        named = [(name, part) for name, part in differential.items() if part > 0 and name not in NOT_CONDITIONS]
        total = sum(part for _, part in named)
        return cls(case_id, tuple((name, part / total) for name, part in named), agreement)


class Neighbour(NamedTuple):
    """A similar case; ``similarity`` is a cosine."""

    ballot: Ballot
    similarity: float


class Votes:
    """Counted votes. Neighbour i weighs softmax(similarity / temperature)_i and splits this among its conditions."""

    def __init__(self, neighbours: Sequence[Neighbour], vote: Vote) -> None:
        """``neighbours`` are sorted, most similar first. The first ``vote.neighbours`` of them vote."""
        self._voters = [near for near in neighbours[: vote.neighbours] if near.ballot.parts]
        scaled = [near.similarity / vote.temperature for near in self._voters]
        powers = [exp(one - scaled[0]) for one in scaled]
        total = sum(powers)
        self._weights = [power / total for power in powers]
        #: condition → its share of the vote; the shares sum to 1
        self.shares: dict[str, float] = {}
        self._voters_for: dict[str, list[int]] = {}
        for place, (near, weight) in enumerate(zip(self._voters, self._weights, strict=True)):
            for name, part in near.ballot.parts:
                self.shares[name] = self.shares.get(name, 0.0) + weight * part
                self._voters_for.setdefault(name, []).append(place)

    def conditions(
        self,
        shares: Mapping[str, float] | None = None,
        probabilities: Mapping[str, float] | None = None,
        evidence: Mapping[str, Sequence[str]] | None = None,
    ) -> tuple[values.Condition, ...]:
        """The conditions that have a share, the largest share first; equal ones in alphabetical order.

        ``shares``: condition → its share, by default that of the vote. ``probabilities``: condition → calibrated
        probability, which falls in the same order; None without a calibration. The evidence of a condition is the cases
        that voted for it, most similar first, or ``evidence`` (condition → case ids) if none did.
        """
        shares = self.shares if shares is None else shares
        given = shares if probabilities is None else probabilities
        others = {} if evidence is None else evidence
        ranked = sorted((item for item in shares.items() if item[1] > 0), key=lambda item: (-item[1], item[0]))
        found = []
        for name, share in ranked:
            voters, probability = self._voters_for.get(name, ()), given[name]
            found.append(
                values.Condition(
                    name,
                    icd_10(name),
                    share,
                    band(probability),
                    tuple([self._voters[place].ballot.case_id for place in voters] or others.get(name, ())),
                    None if probabilities is None else probability,
                    self._agreement(voters),
                )
            )
        return tuple(found)

    def _agreement(self, places: Sequence[int]) -> float | None:
        """The weighted mean of the known agreements of these cases. None if no agreement is known."""
        total = weighted = 0.0
        for place in places:
            agreement = self._voters[place].ballot.agreement
            if agreement is not None:
                total += self._weights[place]
                weighted += self._weights[place] * agreement
        return weighted / total if total else None


def band(probability: float) -> str:
    """ "high" from .33, "possible" from .10, else "unlikely": the bands that consumer services must show."""
    if probability >= _HIGH:
        return "high"
    return "possible" if is_possible(probability) else "unlikely"


def is_possible(probability: float) -> bool:
    return probability >= _POSSIBLE


@dataclass(frozen=True)
class Quantile:
    """A conformal quantile of 1 − p over ``n`` calibration cases. ``value`` is None if there were too few cases."""

    n: int
    value: float | None


@dataclass(frozen=True)
class Accuracy:
    """A measured accuracy, 0–1, over ``n`` cases, with its 95% interval. None if there were too few cases."""

    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Scaling:
    """The parameters of ``probabilities``."""

    temperature: float
    intercept: float
    slope: float


@dataclass(frozen=True)
class Calibration:
    """The calibration of one index with its transform, vote and head.

    - ``conditions``: those of the index, in alphabetical order. Arrays of shares have their columns in this order.
    - ``quantiles``: stated coverage ("0.90") → tone group → quantile.
    - ``distances``: 101 percentiles of the distance (1 − mean cosine of the voting neighbours) of the index's own
      cases, each searched among the other nine tenths of the cases.
    - ``outlier``: a case with a larger distance counts as unlike the index.
    - ``accuracy``: tone group → metric → accuracy on held-out folds.
    - ``disagreement``: from a larger distance between head and vote (``total_variation``) the two disagree. None if the
      index has no head.
    """

    format: int
    scaling: Scaling
    conditions: tuple[str, ...]
    quantiles: Mapping[str, Mapping[str, Quantile]]
    distances: tuple[float, ...]
    outlier: float
    accuracy: Mapping[str, Mapping[str, Accuracy]]
    disagreement: float | None = None

    def write(self, folder: Path) -> None:
        write_json(folder / CALIBRATION_FILE, asdict(self))

    def assess(
        self,
        shares: NDArray[np.float64],
        similarities: Sequence[float],
        accuracy: Mapping[str, values.Accuracy],
        *,
        head_agrees: bool = True,
    ) -> values.Assessment:
        """Assess one search. ``shares`` (1, C) are those of the ``conditions``. ``similarities`` are the cosines of the
        voting neighbours. ``accuracy``: see ``cited``."""
        return values.Assessment(
            probabilities=self._probabilities(shares),
            distance=1.0 - sum(similarities) / len(similarities) if similarities else 2.0,
            outlier=self.outlier,
            coverage=COVERAGE,
            limits=self._limits,
            accuracy=accuracy,
            head_agrees=head_agrees,
        )

    def row(self, shares: Mapping[str, float]) -> NDArray[np.float64]:
        """(1, C) the shares of the ``conditions``, 0 for those that ``shares`` does not name."""
        row = np.zeros((1, len(self.conditions)))
        for name, share in shares.items():
            row[0, self._columns[name]] = share
        return row

    def listed(self, shares: NDArray[np.float64], ranked: Iterable[str], voted: Iterable[str]) -> dict[str, float]:
        """Condition → share, of the first of ``ranked`` and of all that ``voted`` names. ``shares``: (1, C)."""
        names = {*islice(ranked, MOST_WITHOUT_VOTES), *voted}
        return {name: shares.item(self._columns[name]) for name in names}

    def _probabilities(self, shares: NDArray[np.float64]) -> dict[str, float]:
        """Condition → probability, the largest share first; equal ones in alphabetical order."""
        found, order = probabilities(shares, self.scaling)[0], np.argsort(-shares[0], kind="stable")
        return dict(zip([self.conditions[place] for place in order.tolist()], found[order].tolist(), strict=True))

    @cached_property
    def _limits(self) -> dict[str, float | None]:
        return {group: quantile.value for group, quantile in self.quantiles[f"{COVERAGE:.2f}"].items()}

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.conditions)}

    def cited(self, dataset: str) -> dict[str, values.Accuracy]:
        """Tone group → the accuracy that an answer cites, for the groups with enough cases of ``dataset``."""
        cited = {}
        for group, metrics in self.accuracy.items():
            found = metrics.get(METRIC)
            if found and found.value is not None and found.low is not None and found.high is not None:
                interval = (found.low, found.high)
                cited[group] = values.Accuracy(group, METRIC, found.value, interval, found.n, dataset)
        return cited


def read_calibration(folder: Path) -> Calibration:
    """Read the calibration. Raises ArtifactError, in one line, if it is missing or cannot be read."""
    command = f"python -m scin evaluate --index {folder}"
    path = folder / CALIBRATION_FILE
    try:
        return read_json(path, Calibration, FORMAT, f"Write it again: {command}")
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} is missing. Write it: {command}") from error


def probabilities(shares: NDArray[np.float64], scaling: Scaling) -> NDArray[np.float64]:
    """(n, C) shares of the C conditions → (n, C) probabilities; each row sums to 1 and keeps the order of its shares.

    p = (1 − doubt) · normalised share^(1 / temperature) + doubt / C. The first term is temperature scaling (Guo et al.
    2017) of the log shares. The doubt is the probability that the shares say nothing about the condition, as with a
    wrong label. It is a logistic function of the logit of the largest share. A map that keeps the order of each row
    (Rahimi et al. 2020) does not undo the class balance of a head, as one with the conditions' frequencies would.
    """
    # The functions' own reduce, and numbers of Python, are faster for one row than numpy's max, clip and sum.
    largest = np.maximum.reduce(shares, axis=1, keepdims=True)
    doubt = np.array([[_doubt(share, scaling)] for (share,) in largest.tolist()])
    raised = shares ** (1.0 / scaling.temperature)
    raised *= (1.0 - doubt) / np.maximum(np.add.reduce(raised, axis=1, keepdims=True), _TINY)
    raised += doubt / shares.shape[1]
    return raised


def _doubt(largest: float, scaling: Scaling) -> float:
    """The doubt of a row whose largest share is ``largest``; 1 if it has no share."""
    if largest <= 0.0:
        return 1.0
    share = min(max(largest, _LEAST_SHARE), 1 - _LEAST_SHARE)
    return 1.0 / (1.0 + exp(-scaling.intercept - scaling.slope * log(share / (1 - share))))


def mixture(vote: NDArray[np.float64], head: NDArray[np.float64], head_weight: float) -> NDArray[np.float64]:
    """(n, C) shares: the head's with ``head_weight``, 0–1, and the vote's with the rest."""
    mixed = head_weight * head
    mixed += (1.0 - head_weight) * vote
    return mixed


def total_variation(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) half the sum of the absolute differences of two distributions, each a row of (n, C): 0 if they are equal, 1
    if they share nothing."""
    return np.asarray(1.0 - np.add.reduce(np.minimum(one, other), axis=1), np.float64)

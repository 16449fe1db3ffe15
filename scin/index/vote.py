"""The vote of similar cases on conditions, and the calibration of its result.

The calibration (``calibration.json``) contains: parameters that turn shares of the vote into probabilities, thresholds
for sets of stated coverage, the distance from which a photo counts as unlike the index, and the measured accuracy for
each group of skin tones. ``python -m scin evaluate`` fits it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import exp
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

CALIBRATION_FILE = "calibration.json"
FORMAT = 2
#: the coverage of the sets that are served
COVERAGE = 0.9
#: the accuracy metric that an answer cites
METRIC = "top-1"
#: shares are clipped to at least this distance from 0 and 1 before the logit
_LEAST_SHARE = 1e-3


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
        self, calibrated: Mapping[str, float] | None = None, mixed: Mapping[str, float] | None = None
    ) -> tuple[values.Condition, ...]:
        """The conditions, likeliest first: by ``calibrated`` probability (condition → 0–1) or, without it, by share.

        ``mixed``: condition → share, if the vote is not the only source of shares. A condition without votes is listed
        if its share or its probability makes it possible. The evidence of a condition is the cases that voted for it,
        most similar first; a condition without votes has none.
        """
        shares = self.shares if mixed is None else mixed
        probabilities = shares if calibrated is None else calibrated
        listed = [
            (name, share)
            for name, share in shares.items()
            if name in self._voters_for or max(share, probabilities[name]) >= _POSSIBLE
        ]
        ranked = sorted(listed, key=lambda item: (-probabilities[item[0]], item[0]))
        return tuple(
            values.Condition(
                name,
                icd_10(name),
                share,
                band(probabilities[name]),
                tuple(self._voters[place].ballot.case_id for place in self._voters_for.get(name, ())),
                None if calibrated is None else calibrated[name],
                self._agreement(self._voters_for.get(name, ())),
            )
            for name, share in ranked
        )

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
    return "possible" if probability >= _POSSIBLE else "unlikely"


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
    prior_power: float = 0.0


@dataclass(frozen=True)
class Calibration:
    """The calibration of one index with its transform and vote.

    - ``prior``: condition → share of the index's cases.
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
    prior: Mapping[str, float]
    quantiles: Mapping[str, Mapping[str, Quantile]]
    distances: tuple[float, ...]
    outlier: float
    accuracy: Mapping[str, Mapping[str, Accuracy]]
    disagreement: float | None = None

    def write(self, folder: Path) -> None:
        write_json(folder / CALIBRATION_FILE, asdict(self))

    def assess(
        self,
        shares: Mapping[str, float],
        similarities: Sequence[float],
        dataset: str,
        distance_of_head: float | None = None,
    ) -> values.Assessment:
        """Assess one search. ``shares`` maps a condition to its share. ``similarities`` are the cosines of the voting
        neighbours. ``dataset`` is the name that each accuracy cites. ``distance_of_head``: between head and vote."""
        limits = self.quantiles[f"{COVERAGE:.2f}"]
        agree = distance_of_head is None or self.disagreement is None or distance_of_head <= self.disagreement
        return values.Assessment(
            probabilities=self._probabilities(shares),
            distance=1.0 - sum(similarities) / len(similarities) if similarities else 2.0,
            outlier=self.outlier,
            coverage=COVERAGE,
            limits={group: quantile.value for group, quantile in limits.items()},
            accuracy=self._cited(dataset),
            head_agrees=agree,
        )

    def _probabilities(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Condition → probability for all conditions of the index, likeliest first; ties in alphabetical order.

        A large index is calibrated on a sample of its cases, so a condition with votes may have no prior.
        """
        names, prior = self._names_and_prior
        if unknown := shares.keys() - self.prior.keys():
            names = sorted([*names, *unknown])
            prior = np.array([self.prior.get(name, 0.0) for name in names])
        (found,) = probabilities(np.array([[shares.get(name, 0.0) for name in names]]), prior, self.scaling)
        order = np.argsort(-found, kind="stable")
        return dict(zip([names[place] for place in order.tolist()], found[order].tolist(), strict=True))

    @cached_property
    def _names_and_prior(self) -> tuple[list[str], NDArray[np.float64]]:
        """The conditions in alphabetical order, and the prior of each."""
        names = sorted(self.prior)
        return names, np.array([self.prior[name] for name in names])

    def _cited(self, dataset: str) -> dict[str, values.Accuracy]:
        """Tone group → accuracy, for the groups with enough cases."""
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


def probabilities(shares: NDArray[np.float64], prior: NDArray[np.float64], scaling: Scaling) -> NDArray[np.float64]:
    """(n, C) shares of the vote and (C,) prior, which sums to 1 → (n, C) probabilities; each row sums to 1.

    p = (1 − doubt) · normalised (share^(1 / temperature) · prior^prior_power) + doubt · prior. The first term is
    temperature scaling (Guo et al. 2017) of the log shares; the power of the prior takes back that a balanced head
    favours rare conditions. The doubt is the probability that the shares miss the right condition. It is a logistic
    function of the logit of the largest share.
    """
    # The functions' own reduce is faster for one row than max, clip and sum.
    largest = np.maximum.reduce(shares, axis=1, keepdims=True)
    largest = np.minimum(np.maximum(largest, _LEAST_SHARE), 1 - _LEAST_SHARE)
    doubt = 1.0 / (1.0 + np.exp(-scaling.intercept - scaling.slope * np.log(largest / (1 - largest))))
    raised = shares ** (1.0 / scaling.temperature)
    if scaling.prior_power:
        raised = raised * prior**scaling.prior_power
    total = np.add.reduce(raised, axis=1, keepdims=True)
    mixed = raised * ((1.0 - doubt) / np.where(total > 0, total, 1.0)) + doubt * prior
    mixed /= np.add.reduce(mixed, axis=1, keepdims=True)
    return np.asarray(mixed, np.float64)


def mixture(vote: Mapping[str, float], head: Mapping[str, float], head_weight: float) -> dict[str, float]:
    """Condition → share: the head's with ``head_weight`` and the vote's with the rest."""
    mixed = {name: head_weight * share for name, share in head.items()}
    for name, share in vote.items():
        mixed[name] = mixed.get(name, 0.0) + (1.0 - head_weight) * share
    return mixed


def total_variation(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Half the sum of the absolute differences of two distributions: 0 if they are equal, 1 if they share nothing."""
    shared = sum(min(share, other[name]) for name, share in one.items() if name in other)
    return max(0.0, 1.0 - shared)

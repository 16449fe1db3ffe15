"""Neighbours → conditions: a vote over the differentials of similar cases, weighted by similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import NamedTuple

from ml.values import Condition
from scin.icd10 import icd_10
from scin.manifest import Vote

#: what graders wrote in the place of a condition; SCIN kept it in its labels
NOT_CONDITIONS = {"Remove from labeling tool"}
_HIGH, _POSSIBLE = 0.33, 0.10


class Ballot(NamedTuple):
    """How a case votes. ``parts`` are its conditions and their parts of its vote, which sum to 1; empty for a case
    without a label, which does not vote. ``agreement`` is its dermatologists', 0–1, or None."""

    case_id: str
    parts: tuple[tuple[str, float], ...]
    agreement: float | None

    @classmethod
    def of(cls, case_id: str, differential: Mapping[str, float], agreement: float | None) -> Ballot:
        named = [(name, part) for name, part in differential.items() if part > 0 and name not in NOT_CONDITIONS]
        total = sum(part for _, part in named)
        return cls(case_id, tuple((name, part / total) for name, part in named), agreement)


class Voter(NamedTuple):
    """A neighbour; ``similarity`` is a cosine."""

    ballot: Ballot
    similarity: float


class Tally:
    """Votes, counted. Voter i weighs softmax(similarity / temperature)_i and splits its weight as its ballot does."""

    def __init__(self, neighbours: Sequence[Voter], parameters: Vote) -> None:
        """The first ``parameters.neighbours`` vote; they come most similar first."""
        self._voters = [voter for voter in neighbours[: parameters.neighbours] if voter.ballot.parts]
        scaled = [voter.similarity / parameters.temperature for voter in self._voters]
        says = [exp(one - scaled[0]) for one in scaled]
        total = sum(says)
        self._weights = [say / total for say in says]
        #: condition → its share of the vote; the shares sum to 1
        self.shares: dict[str, float] = {}
        self._cited: dict[str, list[int]] = {}
        for place, (voter, weight) in enumerate(zip(self._voters, self._weights, strict=True)):
            for name, part in voter.ballot.parts:
                if name in self.shares:
                    self.shares[name] += weight * part
                    self._cited[name].append(place)
                else:
                    self.shares[name], self._cited[name] = weight * part, [place]

    def conditions(self, calibrated: Mapping[str, float] | None = None) -> tuple[Condition, ...]:
        """The likeliest first, with the band of its probability: the ``calibrated`` one (condition → 0–1) where there
        are any, otherwise its share of the vote. The cases that hold a condition are its evidence, most similar
        first."""
        probabilities = self.shares if calibrated is None else calibrated
        ranked = sorted(self.shares.items(), key=lambda item: (-probabilities[item[0]], item[0]))
        return tuple(
            Condition(
                name,
                icd_10(name),
                share,
                band(probabilities[name]),
                tuple([self._voters[place].ballot.case_id for place in self._cited[name]]),
                None if calibrated is None else calibrated[name],
                self._agreement(self._cited[name]),
            )
            for name, share in ranked
        )

    def _agreement(self, places: Sequence[int]) -> float | None:
        """The weighted mean of what is known of the cases' agreements; None where nothing is."""
        total = weighted = 0.0
        for place in places:
            agreement = self._voters[place].ballot.agreement
            if agreement is not None:
                total += self._weights[place]
                weighted += self._weights[place] * agreement
        return weighted / total if total else None


def vote(neighbours: Sequence[Voter], parameters: Vote) -> tuple[Condition, ...]:
    """Conditions by their share of the vote; see ``Tally``."""
    return Tally(neighbours, parameters).conditions()


def band(probability: float) -> str:
    """ "high" from .33, "possible" from .10, else "unlikely": the bands that consumer services must show."""
    if probability >= _HIGH:
        return "high"
    return "possible" if probability >= _POSSIBLE else "unlikely"

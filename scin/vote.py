"""Neighbours → conditions: a vote over the differentials of similar cases, weighted by similarity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.values import Condition, SimilarCase
from scin.icd10 import icd_10
from scin.manifest import Vote

#: what graders wrote in the place of a condition; SCIN kept it in its labels
NOT_CONDITIONS = {"Remove from labeling tool"}
_BANDS = ((0.33, "high"), (0.10, "possible"))


def vote(neighbours: Sequence[SimilarCase], parameters: Vote) -> tuple[Condition, ...]:
    """Conditions by their share of the vote, largest first; the shares sum to 1.

    Case i weighs softmax(similarity / temperature)_i; it splits its weight as its differential does. The cases that
    hold a condition are its evidence, most similar first.
    """
    voters = [case for case in neighbours[: parameters.neighbours] if case.differential.keys() - NOT_CONDITIONS]
    if not voters:
        return ()
    similarities = np.array([case.similarity for case in voters]) / parameters.temperature
    weights = np.exp(similarities - similarities.max())
    weights /= weights.sum()
    shares: dict[str, float] = {}
    evidence: dict[str, list[int]] = {}
    for place, (case, weight) in enumerate(zip(voters, weights, strict=True)):
        named = {name: part for name, part in case.differential.items() if name not in NOT_CONDITIONS}
        total = sum(named.values())
        for name, part in named.items():
            shares[name] = shares.get(name, 0.0) + float(weight) * part / total
            evidence.setdefault(name, []).append(place)
    ranked = sorted(shares, key=lambda name: (-shares[name], name))
    return tuple(
        Condition(
            name,
            icd_10(name),
            shares[name],
            band(shares[name]),
            tuple(voters[place].case_id for place in evidence[name]),
            agreement=_agreement([(voters[place], float(weights[place])) for place in evidence[name]]),
        )
        for name in ranked
    )


def _agreement(cited: Sequence[tuple[SimilarCase, float]]) -> float | None:
    """The weighted mean of what is known of the cases' agreements; None where nothing is."""
    known = [(agreement, weight) for case, weight in cited if (agreement := _number(case)) is not None]
    total = sum(weight for _, weight in known)
    return sum(agreement * weight for agreement, weight in known) / total if total else None


def _number(case: SimilarCase) -> float | None:
    agreement = case.dermatologists.get("agreement")
    return float(agreement) if isinstance(agreement, int | float) else None


def band(probability: float) -> str:
    """ "high" from .33, "possible" from .10, else "unlikely": the bands that consumer services must show."""
    return next((name for least, name in _BANDS if probability >= least), "unlikely")

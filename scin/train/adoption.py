"""Decides whether the trained encoder replaces the one that it was trained from.

Both answer the held-out cases as an index would, with the method that scin.evaluate.fit chooses. The answers are
compared case by case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from scin.evaluate import fit, metrics
from scin.evaluate.cases import FITZPATRICK_RATED, MONK_GROUP, UNKNOWN, Floats, LabelledCases
from scin.train.split import Parts

RESAMPLES = 1000
_LEAST_OF_CONDITION = 5  # held-out cases of a condition in macro recall
#: a skin tone with fewer held-out cases, or of fewer patients, is not judged
_LEAST_OF_TONE, _LEAST_PATIENTS = 30, 10


class Share(NamedTuple):
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, eq=False)
class Answers:
    """(n, C) shares of the held-out cases' conditions, and the method that gave them, in words."""

    shares: Floats
    method: str


@dataclass(frozen=True)
class Figures:
    """``top_1``, ``macro_recall``: of the held-out cases. ``method``: how they were answered."""

    top_1: Share
    macro_recall: Share
    method: str


@dataclass(frozen=True)
class ToneFigures:
    """Top-1 accuracy on the ``cases`` held-out cases of one skin tone: ``frozen`` before and ``tuned`` after."""

    cases: int
    frozen: float
    tuned: float
    gain: Share

    @property
    def is_worse(self) -> bool:
        """Whether the trained encoder is worse beyond chance."""
        return self.gain.high < 0


@dataclass(frozen=True)
class Comparison:
    """Both encoders on ``cases`` held-out cases of ``groups`` patients. Macro recall is over ``conditions`` conditions.
    ``gain``: of the mean of top-1 accuracy and macro recall. ``by_tone``: the groups with enough cases."""

    cases: int
    groups: int
    conditions: int
    frozen: Figures
    tuned: Figures
    top_1_gain: Share
    macro_recall_gain: Share
    gain: Share
    by_tone: Mapping[str, ToneFigures]

    @property
    def adopted(self) -> bool:
        """Whether the trained encoder is better beyond chance, and worse beyond chance for no skin tone."""
        return self.gain.low > 0 and not self._worse

    @property
    def verdict(self) -> str:
        """The decision and its figures."""
        word = "helps" if self.gain.low > 0 else "does not help"
        overall = (
            f"Training {word}: on {self.cases} held-out cases, top-1 accuracy was {self.frozen.top_1.value:.3f} before "
            f"and is {self.tuned.top_1.value:.3f} after, macro recall was {self.frozen.macro_recall.value:.3f} and is "
            f"{self.tuned.macro_recall.value:.3f}; the 95% interval of the gain of their mean, {self.gain.low:+.3f} to "
            f"{self.gain.high:+.3f}, {'lies' if self.gain.low > 0 else 'does not lie'} above 0."
        )
        return " ".join([overall, *(_loss(name, found) for name, found in self._worse.items())])

    @property
    def _worse(self) -> dict[str, ToneFigures]:
        return {name: found for name, found in self.by_tone.items() if found.is_worse}


def _loss(tone: str, found: ToneFigures) -> str:
    return (
        f"But it harms {tone}: on {found.cases} cases, top-1 accuracy was {found.frozen:.3f} and is {found.tuned:.3f}; "
        f"the 95% interval of the change is {found.gain.low:+.3f} to {found.gain.high:+.3f}."
    )


def answer(cases: LabelledCases, parts: Parts, seed: int, *, trained: bool) -> Answers:
    """Answer the held-out cases as an index of the others would.

    ``trained``: ``cases`` have the embeddings of the trained encoder. It knows the cases that it learnt, so only those
    that stopped the training choose the method, as ``scin evaluate`` does it. Otherwise all of them choose.
    """
    known = cases.take(parts.seen)
    if trained:
        known = replace(known, seen=np.isin(parts.seen, parts.learnt))
    choice = fit.choose(known, seed)
    return Answers(fit.answers(choice, known, cases.take(parts.held_out)).shares, choice.method)


def compare(held: LabelledCases, before: Answers, after: Answers, seed: int) -> Comparison:
    """Compare the answers to the held-out cases before and after training. Intervals are from a bootstrap over
    patients."""
    hits = np.stack([metrics.per_case(of.shares, held)[metrics.TOP_1] for of in (before, after)])
    judged = np.flatnonzero(np.bincount(held.top) >= _LEAST_OF_CONDITION)
    _, place = np.unique(held.groups, return_inverse=True)
    groups = int(place.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), RESAMPLES)
    counts = np.concatenate([np.ones((1, len(held))), drawn[:, place]]).astype(np.float64)

    top_1 = _top_1(hits, counts)
    recall = np.column_stack([metrics.macro_recall(of, held.top, judged, counts) for of in hits])
    mean = np.where(np.isfinite(recall), (top_1 + recall) / 2, top_1)
    return Comparison(
        cases=len(held),
        groups=groups,
        conditions=len(judged),
        frozen=Figures(_share(top_1[:, 0]), _share(recall[:, 0]), before.method),
        tuned=Figures(_share(top_1[:, 1]), _share(recall[:, 1]), after.method),
        top_1_gain=_share(top_1[:, 1] - top_1[:, 0]),
        macro_recall_gain=_share(recall[:, 1] - recall[:, 0]),
        gain=_share(mean[:, 1] - mean[:, 0]),
        by_tone=dict(_by_tone(held, hits, counts)),
    )


def _by_tone(held: LabelledCases, hits: Floats, counts: Floats) -> Iterator[tuple[str, ToneFigures]]:
    for scale in (MONK_GROUP, FITZPATRICK_RATED):
        for group in sorted(set(held.tones[scale].tolist()) - {UNKNOWN}):
            inside = held.tones[scale] == group
            if inside.sum() >= _LEAST_OF_TONE and len(np.unique(held.groups[inside])) >= _LEAST_PATIENTS:
                top_1 = _top_1(hits[:, inside], counts[:, inside])
                before, after = top_1[0].round(4).tolist()
                yield group, ToneFigures(int(inside.sum()), before, after, _share(top_1[:, 1] - top_1[:, 0]))


def _top_1(hits: Floats, counts: Floats) -> Floats:
    """(B, 2) top-1 accuracy before and after in each resample; nan where none of the cases is drawn."""
    with np.errstate(invalid="ignore"):
        return np.asarray(counts @ hits.T / counts.sum(axis=1, keepdims=True), np.float64)


def _share(draws: Floats) -> Share:
    """The first of ``draws`` is the value, the others are resamples."""
    known = draws[1:][np.isfinite(draws[1:])]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
    return Share(*(round(float(value), 4) for value in (draws[0], low, high)))

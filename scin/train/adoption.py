"""Decides whether the trained encoder replaces the one that it was trained from.

Both answer the held-out cases as an index would: by the vote of neighbours, by a head, or by the mean of both. What the
training did not learn but used to stop early chooses the vote's parameters, the head's, and between the three. Then the
answers to the held-out cases are compared, case by case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ml.values import Vectors
from scin.evaluate import fit, metrics
from scin.evaluate.cases import FITZPATRICK_RATED, MONK_GROUP, UNKNOWN, Floats, LabelledCases
from scin.evaluate.head import HeadSpec, fit_heads, head_shares, head_specs
from scin.index.manifest import Vote
from scin.index.vectors import TransformSpec, fit_transforms
from scin.train.split import Parts

RESAMPLES = 1000
_WAYS = ("vote", "head", "mean of both")
_LEAST_OF_CONDITION = 5  # held-out cases of a condition in macro recall
_LEAST_OF_TONE = 30


class Share(NamedTuple):
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Figures:
    """``top_1``, ``macro_recall``: of the held-out cases. ``way``: how they were answered."""

    top_1: Share
    macro_recall: Share
    way: str


@dataclass(frozen=True)
class Comparison:
    """Both encoders on ``cases`` held-out cases of ``groups`` patients. Macro recall is over ``conditions`` conditions.
    ``gain``: of the mean of top-1 accuracy and macro recall.
    ``by_tone``: group → (cases, top-1 frozen, top-1 tuned)."""

    cases: int
    groups: int
    conditions: int
    frozen: Figures
    tuned: Figures
    top_1_gain: Share
    macro_recall_gain: Share
    gain: Share
    by_tone: dict[str, tuple[int, float, float]]

    @property
    def adopted(self) -> bool:
        """Whether the trained encoder is better beyond chance."""
        return self.gain.low > 0

    @property
    def verdict(self) -> str:
        """One sentence with the figures."""
        word = "helps" if self.adopted else "does not help"
        return (
            f"Training {word}: on {self.cases} held-out cases, top-1 accuracy was {self.frozen.top_1.value:.3f} before "
            f"and is {self.tuned.top_1.value:.3f} after, macro recall was {self.frozen.macro_recall.value:.3f} and is "
            f"{self.tuned.macro_recall.value:.3f}; the 95% interval of the gain of their mean, {self.gain.low:+.3f} to "
            f"{self.gain.high:+.3f}, {'lies' if self.adopted else 'does not lie'} above 0."
        )


def compare(cases: LabelledCases, parts: Parts, tuned: Vectors, seed: int) -> Comparison:
    """``cases`` have the embeddings of the untrained encoder; ``tuned`` (V, 512) are those of the trained one."""
    held = cases.take(parts.held_out)
    before, before_way = answers(cases, parts)
    after, after_way = answers(replace(cases, vectors=tuned), parts)
    hits = np.stack([_hits(before, held), _hits(after, held)])
    judged = np.flatnonzero(np.bincount(held.top) >= _LEAST_OF_CONDITION)
    _, place = np.unique(held.groups, return_inverse=True)
    groups = int(place.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), RESAMPLES)
    counts = np.concatenate([np.ones((1, len(held))), drawn[:, place]]).astype(np.float64)

    top_1 = counts @ hits.T / counts.sum(axis=1, keepdims=True)  # (1 + resamples, 2): before, after
    recall = np.column_stack([metrics.macro_recall(of, held.top, judged, counts) for of in hits])
    mean = np.where(np.isfinite(recall), (top_1 + recall) / 2, top_1)
    return Comparison(
        cases=len(held),
        groups=groups,
        conditions=len(judged),
        frozen=Figures(_share(top_1[:, 0]), _share(recall[:, 0]), before_way),
        tuned=Figures(_share(top_1[:, 1]), _share(recall[:, 1]), after_way),
        top_1_gain=_share(top_1[:, 1] - top_1[:, 0]),
        macro_recall_gain=_share(recall[:, 1] - recall[:, 0]),
        gain=_share(mean[:, 1] - mean[:, 0]),
        by_tone=_by_tone(held, hits),
    )


def answers(cases: LabelledCases, parts: Parts) -> tuple[Floats, str]:
    """(n, C) shares of the held-out cases' conditions, and how they were found."""
    learnt, inner = cases.take(parts.learnt), cases.take(parts.inner)
    spec, vote, voted = _best_vote(learnt, inner)
    head, headed = _best_head(learnt, inner)
    tried = (voted, headed, (voted + headed) / 2)
    way = int(np.argmax([fit.criterion(shares, inner) for shares in tried]))
    references, held = cases.take(parts.seen), cases.take(parts.held_out)
    found = [
        _vote(references, held, spec, vote) if way != 1 else None,
        head_shares(fit_heads([head], references)[0], held) if way != 0 else None,
    ]
    return np.asarray(np.mean([one for one in found if one is not None], axis=0), np.float64), _WAYS[way]


def _best_vote(learnt: LabelledCases, inner: LabelledCases) -> tuple[TransformSpec, Vote, Floats]:
    """The transform and vote that answer ``inner`` best by ``learnt``, and those answers."""
    used = fit.used_vectors(learnt)
    votes = [Vote(number, temperature) for number in fit.NEIGHBOURS for temperature in fit.TEMPERATURES]
    best: tuple[float, TransformSpec, Vote, Floats] | None = None
    specs = fit.candidates(len(used), used.shape[1])
    for spec, transform in zip(specs, fit_transforms(specs, used), strict=True):
        vectors = transform.apply(learnt.vectors)
        references = replace(learnt, vectors=vectors)
        near = fit.nearest(replace(inner, vectors=vectors), references, max(fit.NEIGHBOURS))
        for vote in votes:
            shares = fit.vote_shares(near, references, vote)
            score = fit.criterion(shares, inner)
            if best is None or score > best[0]:
                best = score, spec, vote, shares
    assert best is not None
    return best[1:]


def _vote(references: LabelledCases, asked: LabelledCases, spec: TransformSpec, vote: Vote) -> Floats:
    vectors = fit_transforms([spec], fit.used_vectors(references))[0].apply(references.vectors)
    searched = replace(references, vectors=vectors)
    return fit.vote_shares(fit.nearest(replace(asked, vectors=vectors), searched, vote.neighbours), searched, vote)


def _best_head(learnt: LabelledCases, inner: LabelledCases) -> tuple[HeadSpec, Floats]:
    """The head that answers ``inner`` best after learning ``learnt``, and those answers."""
    specs = head_specs()
    found = [head_shares(head, inner) for head in fit_heads(specs, learnt)]
    best = int(np.argmax([fit.criterion(shares, inner) for shares in found]))
    return specs[best], found[best]


def _hits(shares: Floats, held: LabelledCases) -> Floats:
    """(n,) 1 where the first condition leads, else 0."""
    return metrics.per_case(shares, held)[metrics.TOP_1]


def _by_tone(held: LabelledCases, hits: Floats) -> dict[str, tuple[int, float, float]]:
    found = {}
    for scale in (MONK_GROUP, FITZPATRICK_RATED):
        for group in sorted(set(held.tones[scale].tolist()) - {UNKNOWN}):
            inside = held.tones[scale] == group
            if inside.sum() >= _LEAST_OF_TONE:
                before, after = hits[:, inside].mean(axis=1)
                found[group] = (int(inside.sum()), round(float(before), 4), round(float(after), 4))
    return found


def _share(draws: Floats) -> Share:
    """The first of ``draws`` is the value, the others are resamples."""
    known = draws[1:][np.isfinite(draws[1:])]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
    return Share(*(round(float(value), 4) for value in (draws[0], low, high)))

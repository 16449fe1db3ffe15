"""Which transform, how many neighbours and how sharp a vote: chosen by inner folds of the cases it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scin.evaluation import metrics
from scin.evaluation.cases import Floats, LabelledCases
from scin.evaluation.folds import case_folds
from scin.evaluation.neighbours import Neighbours, nearest
from scin.evaluation.voting import vote_shares
from scin.index.manifest import Vote
from scin.index.vectors import Transform, TransformSpec, fit_transforms

NEIGHBOURS = (3, 5, 7, 11, 15, 21, 31)
TEMPERATURES = (0.02, 0.05, 0.1, 0.2, 0.5)
COMPONENTS = (64, 128, 256, 512)
POWERS = (-0.25, -0.5)
INNER_FOLDS = 4


@dataclass(frozen=True)
class Choice:
    """The best candidate and its score, the mean of top-1 accuracy and macro recall on the inner folds, 0–1.

    ``tried`` maps each transform's name to the best score that it reached.
    """

    transform: Transform
    vote: Vote
    score: float
    tried: dict[str, float]


def candidates(vectors: int, dimension: int) -> tuple[TransformSpec, ...]:
    """Centring first; then PCA where there are at least twice as many vectors as components, else it fits noise."""
    sizes = sorted({min(size, dimension) for size in COMPONENTS if 2 * min(size, dimension) <= vectors})
    return (TransformSpec(), *(TransformSpec(size, power) for power in POWERS for size in sizes))


def choose(cases: LabelledCases, seed: int) -> Choice:
    """The transform and the vote with the best score; of equals the first, so the simplest.

    Each inner fold is answered by the others, to which the transforms are fitted too; the chosen one is then fitted to
    all given cases.
    """
    used = cases.vectors[np.unique(cases.photos)]
    specs = candidates(len(used), used.shape[1])
    votes = [Vote(number, temperature) for number in NEIGHBOURS for temperature in TEMPERATURES]
    best: tuple[float, TransformSpec, Vote] | None = None
    tried: dict[str, float] = {}
    for spec, found in zip(specs, _held_out_neighbours(cases, specs, seed), strict=True):
        scores = [criterion(vote_shares(found, cases, vote), cases) for vote in votes]
        place = int(np.argmax(scores))
        tried[spec.name] = scores[place]
        if best is None or scores[place] > best[0]:
            best = scores[place], spec, votes[place]
    assert best is not None
    score, spec, vote = best
    return Choice(fit_transforms([spec], used)[0], vote, score, tried)


def _held_out_neighbours(cases: LabelledCases, specs: Sequence[TransformSpec], seed: int) -> list[Neighbours]:
    """For each spec every case's nearest in the other inner folds, by the transform fitted to those."""
    depth = max(NEIGHBOURS)
    found = [
        Neighbours(np.zeros((len(cases), depth), np.intp), np.full((len(cases), depth), -np.inf, np.float32))
        for _ in specs
    ]
    inner = case_folds(cases, INNER_FOLDS, seed)
    for number in range(INNER_FOLDS):
        rows, kept = np.flatnonzero(inner == number), np.flatnonzero(inner != number)
        asked, others = cases.take(rows), cases.take(kept)
        fitted = fit_transforms(specs, others.vectors[np.unique(others.photos)])
        for transform, of_spec in zip(fitted, found, strict=True):
            vectors = transform.apply(cases.vectors)
            near = nearest(asked, vectors, others, vectors, depth=depth)
            width = near.rows.shape[1]
            of_spec.rows[rows, :width] = kept[near.rows]
            of_spec.similarities[rows, :width] = near.similarities
    return found


def criterion(probabilities: Floats, cases: LabelledCases) -> float:
    """Mean of top-1 accuracy and macro recall: common conditions count by their cases, rare ones by themselves."""
    first = probabilities.argmax(axis=1)
    rows = np.arange(len(cases))
    hits = cases.leading[rows, first] & (probabilities[rows, first] > 0)
    recall = metrics.macro_recall(
        hits.astype(np.float64), cases.top, metrics.judged_conditions(cases.top), np.ones((1, len(cases)))
    )[0]
    return float(np.nanmean([hits.mean(), recall]))

"""Chooses how an index answers (its vote, its head, and the weight of each) and fits its calibration.

Each case is judged only by cases of other folds, with parameters that were fitted without it. Cases that the encoder
was trained on are searched and learnt from, but never judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from ml.analysis.decision import ALL
from scin.evaluate import metrics
from scin.evaluate.cases import MONK_GROUP, SEEN, UNKNOWN, Floats, Ints, LabelledCases, case_folds
from scin.evaluate.head import HeadSpec, fit_heads, head_shares, head_specs, held_out_heads
from scin.evaluate.metrics import TOO_FEW
from scin.index.manifest import Vote
from scin.index.vectors import Transform, TransformSpec, fit_transforms
from scin.index.vote import FORMAT, Calibration, Quantile, Scaling, mixture, probabilities, total_variation

NEIGHBOURS = (3, 5, 7, 11, 15, 21, 31)
TEMPERATURES = (0.02, 0.05, 0.1, 0.2, 0.5)
COMPONENTS = (64, 128, 256, 512)
POWERS = (-0.25, -0.5)
#: the head's part of the shares: the vote alone, mixtures, the head alone
HEAD_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
INNER_FOLDS = 4
#: heads are compared on so many inner folds that together they hold at least this many cases
_HEAD_CASES = 1_000

COVERAGES = (0.8, 0.9, 0.95)
#: a case counts as unlike the index if its distance exceeds this percentile of the distances of the index's own cases
OUTLIER_PERCENTILE = 99
#: head and vote disagree if they differ more than in this percentage of the index's own cases
DISAGREEMENT_PERCENTILE = 95
#: … and if that costs at least this share of right answers
_LEAST_LOSS, _LEAST_MARKED = 0.1, 15
_CALIBRATION_FOLDS = 10
#: bounds of log temperature, and of the doubt's intercept and slope (doubt never grows with agreement)
_BOUNDS = ((-2.3, 2.3), (-8.0, 8.0), (-8.0, 0.0))
_START = (0.0, -1.0, -1.0)

_BLOCK = 256  # queries that are compared with all references at once
#: extra candidates, so that ties (copies of one photo) can be sorted by id
_TIES = 8


@dataclass(frozen=True)
class Neighbours:
    """(n, depth) rows of each case's nearest references and their cosines, most similar first.

    If there are fewer than ``depth`` references, the remaining similarities are −inf.
    """

    rows: Ints
    similarities: NDArray[np.float32]


def nearest(queries: LabelledCases, references: LabelledCases, depth: int) -> Neighbours:
    """The ``depth`` nearest references of each query by their ``vectors``, which must have unit length.

    Exact. As in serving, the similarity of two cases is that of their most similar pair of photos, and ties go to the
    smaller id.
    """
    depth = min(depth, len(references))
    stored = references.vectors[references.photos]
    parts = []
    for start in range(0, len(queries), _BLOCK):
        asked = queries.take(np.arange(start, min(start + _BLOCK, len(queries))))
        by_photo = stored @ asked.vectors[asked.photos].T
        by_reference = np.maximum.reduceat(by_photo, references.starts, axis=0)
        parts.append(_largest(np.maximum.reduceat(by_reference, asked.starts, axis=1).T, depth))
    return Neighbours(np.concatenate([rows for rows, _ in parts]), np.concatenate([best for _, best in parts]))


def _largest(similarity: NDArray[np.float32], depth: int) -> tuple[Ints, NDArray[np.float32]]:
    """The columns of the largest values in each row, and the values; ties in the order of the columns."""
    taken = min(depth + _TIES, similarity.shape[1])
    rows = np.sort(np.argpartition(-similarity, taken - 1, axis=1)[:, :taken], axis=1)
    values = np.take_along_axis(similarity, rows, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :depth]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(values, order, axis=1)


def held_out_neighbours(
    cases: LabelledCases, fold: Ints, specs: Sequence[TransformSpec], depth: int
) -> list[Neighbours]:
    """For each spec, every case's nearest among the other folds, with the transform fitted to those folds."""
    found = [
        Neighbours(np.zeros((len(cases), depth), np.intp), np.full((len(cases), depth), -np.inf, np.float32))
        for _ in specs
    ]
    for number in range(int(fold.max()) + 1):
        rows, kept = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        asked, others = cases.take(rows), cases.take(kept)
        for transform, of_spec in zip(fit_transforms(specs, used_vectors(others)), found, strict=True):
            vectors = transform.apply(cases.vectors)
            near = nearest(replace(asked, vectors=vectors), replace(others, vectors=vectors), depth)
            width = near.rows.shape[1]
            of_spec.rows[rows, :width] = kept[near.rows]
            of_spec.similarities[rows, :width] = near.similarities
    return found


def used_vectors(cases: LabelledCases) -> NDArray[np.float32]:
    """The distinct embeddings of these cases."""
    return cases.vectors[np.unique(cases.photos)]


def mean_distance(found: Neighbours, neighbours: int) -> Floats:
    """(n,) distance of each case: 1 − the mean cosine of its nearest ``neighbours``, 0–2."""
    voters = found.similarities[:, :neighbours].astype(np.float64)
    return np.asarray(1.0 - np.mean(voters, axis=1, where=np.isfinite(voters)), np.float64)


def vote_shares(found: Neighbours, references: LabelledCases, vote: Vote) -> Floats:
    """(n, C) each condition's share of the served vote (scin.index.vote), for many cases at once.

    Rows sum to 1, or to 0 for a case without neighbours.
    """
    similarities = found.similarities[:, : vote.neighbours].astype(np.float64)
    rows = found.rows[:, : vote.neighbours]
    voters = np.isfinite(similarities)
    largest = np.where(voters[:, :1], similarities[:, :1], 0.0)
    weights = np.exp(np.where(voters, similarities - largest, -np.inf) / vote.temperature)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    pointers = np.arange(0, rows.size + 1, rows.shape[1])
    matrix = csr_matrix((weights.ravel(), rows.ravel(), pointers), shape=(len(rows), len(references)))
    return np.asarray((matrix @ references.sparse_weights).toarray(), np.float64)


@dataclass(frozen=True)
class Choice:
    """The best candidate and its score on the inner folds, 0–1 (see ``criterion``).

    ``head_weight``, 0–1: the head's part of the shares. ``head``: the best head, even if its weight is 0. ``tried``
    maps each transform's name to the best score of its votes, ``mixtures`` each weight of the head to its score.
    """

    transform: Transform
    vote: Vote
    head: HeadSpec
    head_weight: float
    score: float
    tried: dict[str, float]
    mixtures: dict[float, float]

    @property
    def method(self) -> str:
        """The method in words: the vote, the head, or the mixture."""
        vote = f"the vote of {self.vote.neighbours} neighbours at temperature {self.vote.temperature:g}"
        head = f"the head with {self.head.name}"
        if self.head_weight in (0.0, 1.0):
            return head if self.head_weight else vote
        return f"{self.head_weight:.0%} {head}, {1 - self.head_weight:.0%} {vote}"


def candidates(vectors: int, dimension: int) -> tuple[TransformSpec, ...]:
    """Centring, then PCA with at most half as many components as vectors: more would fit noise."""
    sizes = sorted({min(size, dimension) for size in COMPONENTS if 2 * min(size, dimension) <= vectors})
    return (TransformSpec(), *(TransformSpec(size, power) for power in POWERS for size in sizes))


def choose(cases: LabelledCases, seed: int) -> Choice:
    """The transform, vote, head and weight with the best score on the inner folds; the simplest of equal ones.

    The chosen transform is then fitted to all given cases.
    """
    used = used_vectors(cases)
    specs = candidates(len(used), used.shape[1])
    votes = [Vote(number, temperature) for number in NEIGHBOURS for temperature in TEMPERATURES]
    fold = case_folds(cases, INNER_FOLDS, seed)
    judged = np.flatnonzero(fold != SEEN)
    best: tuple[float, TransformSpec, Vote, Floats] | None = None
    tried: dict[str, float] = {}
    for spec, found in zip(specs, held_out_neighbours(cases, fold, specs, max(NEIGHBOURS)), strict=True):
        for vote in votes:
            shares = vote_shares(found, cases, vote)
            score = criterion(shares, cases, judged)
            tried[spec.name] = max(score, tried.get(spec.name, 0.0))
            if best is None or score > best[0]:
                best = score, spec, vote, shares
    assert best is not None
    _, spec, vote, voted = best
    head = _best_head(cases, fold)
    (learnt,) = held_out_heads([head], cases, fold, range(INNER_FOLDS))
    mixtures = {weight: criterion(mixture(voted, learnt, weight), cases, judged) for weight in HEAD_WEIGHTS}
    weight = max(HEAD_WEIGHTS, key=lambda weight: mixtures[weight])
    return Choice(fit_transforms([spec], used)[0], vote, head, weight, mixtures[weight], tried, mixtures)


def _best_head(cases: LabelledCases, fold: Ints) -> HeadSpec:
    """The head with the best score on the first inner folds, as few as hold _HEAD_CASES cases."""
    sizes = np.cumsum(np.bincount(fold[fold != SEEN], minlength=INNER_FOLDS))
    folds = range(min(INNER_FOLDS, int(np.searchsorted(sizes, _HEAD_CASES)) + 1))
    judged = np.flatnonzero(np.isin(fold, folds))
    specs = head_specs()
    scores = [criterion(shares, cases, judged) for shares in held_out_heads(specs, cases, fold, folds)]
    return specs[int(np.argmax(scores))]


class Answers(NamedTuple):
    """(n, C) shares of the conditions by the vote and by the head, and mixed as chosen. ``near``: the neighbours."""

    near: Neighbours
    voted: Floats
    learnt: Floats
    shares: Floats


def answers(choice: Choice, references: LabelledCases, asked: LabelledCases) -> Answers:
    """What an index of ``references`` with this choice answers to ``asked``, before calibration."""
    vectors = choice.transform.apply(references.vectors)
    searched = replace(references, vectors=vectors)
    near = nearest(replace(asked, vectors=vectors), searched, choice.vote.neighbours)
    voted = vote_shares(near, searched, choice.vote)
    learnt = head_shares(fit_heads([choice.head], references)[0], asked)
    return Answers(near, voted, learnt, mixture(voted, learnt, choice.head_weight))


def criterion(shares: Floats, cases: LabelledCases, judged: Ints | None = None) -> float:
    """The mean of top-1 accuracy, to which common conditions contribute most, and macro recall.

    ``judged``: the rows that count; None: all."""
    rows = np.arange(len(cases)) if judged is None else judged
    first, top = shares[rows].argmax(axis=1), cases.top[rows]
    hits = cases.leading[rows, first] & (shares[rows, first] > 0)
    recall = metrics.macro_recall(
        hits.astype(np.float64), top, metrics.judged_conditions(top), np.ones((1, len(rows)))
    )[0]
    return float(np.nanmean([hits.mean(), recall]))


def calibrate(choice: Choice, cases: LabelledCases, seed: int) -> Calibration:
    """Fit the calibration to the shares of each tenth of the cases by the other nine tenths. ``accuracy`` stays empty.

    The transform is fitted again to the nine tenths, because whitening increases the distances between the vectors that
    it was fitted to.
    """
    fold = case_folds(cases, _CALIBRATION_FOLDS, seed)
    judged = np.flatnonzero(fold != SEEN)
    (found,) = held_out_neighbours(cases, fold, [choice.transform.spec], choice.vote.neighbours)
    shares = voted = vote_shares(found, cases, choice.vote)[judged]
    disagreement = None
    if choice.head_weight:
        learnt = held_out_heads([choice.head], cases, fold, range(_CALIBRATION_FOLDS))[0][judged]
        shares = mixture(voted, learnt, choice.head_weight)
    scaling = fit_scaling(shares, cases.first[judged])
    given = probabilities(shares, scaling)
    scores = nonconformity(given, cases.leading[judged])
    if choice.head_weight:
        right = cases.leading[judged, given.argmax(axis=1)]
        disagreement = disagreement_limit(total_variation(voted, learnt), right)
    near = Neighbours(found.rows[judged], found.similarities[judged])
    distances = np.percentile(mean_distance(near, choice.vote.neighbours), np.arange(101)).tolist()
    return Calibration(
        format=FORMAT,
        scaling=scaling,
        conditions=cases.conditions,
        quantiles={
            _key(coverage): quantiles(scores, cases.tones[MONK_GROUP][judged], coverage) for coverage in COVERAGES
        },
        distances=tuple(distances),
        outlier=distances[OUTLIER_PERCENTILE],
        accuracy={},
        disagreement=disagreement,
    )


def disagreement_limit(distances: Floats, right: NDArray[np.bool_]) -> float | None:
    """The DISAGREEMENT_PERCENTILE of the (n,) ``distances`` of head and vote, if answers beyond it are clearly less
    often ``right``; else None, so that no answer is withheld without a reason.

    Clearly: the lower end of the difference's 95% interval (normal approximation, Wald) is at least _LEAST_LOSS. None
    also if there are too few cases on a side.
    """
    limit = float(np.percentile(distances, DISAGREEMENT_PERCENTILE))
    sides = [right[distances <= limit], right[distances > limit]]
    if min(map(len, sides)) < _LEAST_MARKED:
        return None
    near, far = (float(side.mean()) for side in sides)
    error = np.sqrt(near * (1 - near) / len(sides[0]) + far * (1 - far) / len(sides[1]))
    return limit if near - far - 1.96 * error >= _LEAST_LOSS else None


def fit_scaling(shares: Floats, first: Floats) -> Scaling:
    """The scaling with the least negative log-likelihood of the leading conditions, ``first`` (n, C)."""

    def scaling(parameters: Floats) -> Scaling:
        return Scaling(float(np.exp(parameters[0])), *(float(value) for value in parameters[1:]))

    def loss(parameters: Floats) -> float:
        given = probabilities(shares, scaling(parameters))
        logs = np.log(np.maximum(given, np.finfo(np.float64).tiny))
        return float(-(first * logs).sum(axis=1).mean())

    return scaling(minimize(loss, _START, method="L-BFGS-B", bounds=_BOUNDS).x)


def nonconformity(given: Floats, leading: NDArray[np.bool_]) -> Floats:
    """(n,) 1 − the largest probability of a leading condition: the smallest threshold whose set holds one."""
    return np.asarray(1.0 - np.where(leading, given, 0.0).max(axis=1), np.float64)


def quantiles(scores: Floats, groups: NDArray[np.str_], coverage: float) -> dict[str, Quantile]:
    """Tone group (and "all") → conformal quantile of its cases."""
    members = {ALL: np.ones(len(scores), np.bool_)}
    members |= {group: groups == group for group in sorted(set(groups.tolist()) - {UNKNOWN})}
    return {
        group: Quantile(int(inside.sum()), conformal_quantile(scores[inside], coverage))
        for group, inside in members.items()
    }


def conformal_quantile(scores: Floats, coverage: float) -> float | None:
    """The ⌈(n + 1) · coverage⌉-th smallest of n scores (split conformal prediction, Vovk et al. 2005).

    None if n is below TOO_FEW or too small for the coverage.
    """
    n = len(scores)
    place = int(np.ceil((n + 1) * coverage))
    return None if n < TOO_FEW or place > n else float(np.sort(scores)[place - 1])


def threshold(calibration: Calibration, coverage: float, group: str) -> float:
    """The largest 1 − p of conditions in a set. 1.0, so every condition, if there is no quantile."""
    known = calibration.quantiles[_key(coverage)]
    value = known.get(group, known[ALL]).value
    return 1.0 if value is None else value


def _key(coverage: float) -> str:
    return f"{coverage:.2f}"

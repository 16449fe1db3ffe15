"""The whole evaluation of one index's cases, in the order in which a reader asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from ml.analysis.decision import ALL
from scin.evaluation import held_out, scores
from scin.evaluation.bootstrap import Bootstrap, Figure, mean_of
from scin.evaluation.calibrating import Fitted, calibrate, calibration_error
from scin.evaluation.cases import Floats, Ints, LabelledCases
from scin.evaluation.folds import case_folds, straddling
from scin.evaluation.held_out import HeldOut, answer_held_out
from scin.evaluation.image_split import ImageSplit, image_split
from scin.evaluation.metrics import COMMONEST, TOP_1, TOP_3
from scin.evaluation.scores import Figures
from scin.evaluation.selection import Choice, choose
from scin.evaluation.tones import MONK_GROUPS, OWN_GROUP

FOLDS = 5
CALIBRATED = "kNN vote, calibrated"
PROTOCOLS = (held_out.VOTE, CALIBRATED, held_out.PROBE, held_out.PRIOR)
#: what an answer cites of its tone group
CITED = (TOP_1, TOP_3)
_BINS = 10

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Reliability:
    """Confidence of the first condition against how often it leads: in ``bins`` (mean confidence, accuracy, cases),
    and the expected calibration error over all."""

    bins: tuple[tuple[float, float, int], ...]
    error: float


@dataclass(frozen=True)
class Sets:
    """Conformal sets of one stated coverage in one tone group: how many held a leading condition, and their size."""

    coverage: Figure
    size: Figure


@dataclass(frozen=True)
class Confusion:
    """Cases by their first leading condition (rows) and the condition the vote ranks first (columns; the last column
    is any other)."""

    conditions: tuple[str, ...]
    counts: Ints


@dataclass(frozen=True)
class Evaluation:
    """Everything that is reported and chosen.

    ``overall``: protocol → metric → figure; ``tones``: protocol → scale → group → metric → figure; ``sets``: stated
    coverage → tone group → sets. ``choice`` and ``fitted`` are made on all cases, for serving; ``held_out`` holds what
    the figures were measured with.
    """

    cases: int
    photos: int
    pictures: int
    conditions: int
    groups: int
    leaks: int
    overall: Mapping[str, Figures]
    tones: Mapping[str, Mapping[str, Mapping[str, Figures]]]
    image_split: ImageSplit
    image_split_grouped: ImageSplit
    before: Reliability
    after: Reliability
    sets: Mapping[str, Mapping[str, Sets]]
    outliers: float
    confusion: Confusion
    held_out: HeldOut
    choice: Choice
    fitted: Fitted

    @property
    def cited(self) -> dict[str, Figures]:
        """Tone group (and "all") → the figures of the vote that an answer cites."""
        groups = {ALL: self.overall[held_out.VOTE], **self.tones[held_out.VOTE][OWN_GROUP]}
        return {group: {metric: figures[metric] for metric in CITED} for group, figures in groups.items()}


def evaluate(cases: LabelledCases, *, seed: int, resamples: int, progress: Progress) -> Evaluation:
    """Measure on outer folds, then choose and calibrate on all cases. The same seed gives the same result."""
    with threadpool_limits(1):  # as the folds do, so that the last choice is made as theirs were
        return _evaluate(cases, seed, resamples, progress)


def _evaluate(cases: LabelledCases, seed: int, resamples: int, progress: Progress) -> Evaluation:
    bootstrap = Bootstrap(resamples, seed)
    fold = case_folds(cases, FOLDS, seed)
    answered = answer_held_out(cases, fold, seed, lambda done, total: progress("folds", done, total))
    given = {**answered.probabilities, CALIBRATED: answered.calibrated}
    overall, tones = {}, {}
    for done, protocol in enumerate(PROTOCOLS, start=1):
        overall[protocol] = scores.overall(given[protocol], cases, bootstrap)
        tones[protocol] = scores.by_tone(given[protocol], cases, bootstrap)
        progress("figures", done, len(PROTOCOLS))
    splits = [image_split(cases, bootstrap, seed, grouped=grouped) for grouped in (False, True)]
    choice = choose(cases, seed)
    owners = np.repeat(np.arange(len(cases)), cases.photos_per_case)
    return Evaluation(
        cases=len(cases),
        photos=len(cases.photos),
        pictures=len(cases.vectors),
        conditions=len(cases.conditions),
        groups=len(np.unique(cases.groups)),
        leaks=straddling(fold[owners], owners, cases.photos, cases.groups[owners]),
        overall=overall,
        tones=tones,
        image_split=splits[0],
        image_split_grouped=splits[1],
        before=reliability(given[held_out.VOTE], cases),
        after=reliability(answered.calibrated, cases),
        sets=_sets(answered, cases, bootstrap),
        outliers=float(answered.outliers.mean()),
        confusion=confusion(given[held_out.VOTE], cases),
        held_out=answered,
        choice=choice,
        fitted=calibrate(choice, cases, seed),
    )


def reliability(probabilities: Floats, cases: LabelledCases) -> Reliability:
    """How far the probability of the condition ranked first is how often it leads; of a tie it has its part."""
    confidence = probabilities.max(axis=1)
    correct = cases.first[np.arange(len(cases)), probabilities.argmax(axis=1)]
    place = np.minimum((confidence * _BINS).astype(np.intp), _BINS - 1)
    bins = tuple(
        (float(confidence[place == bin_].mean()), float(correct[place == bin_].mean()), int((place == bin_).sum()))
        for bin_ in np.unique(place)
    )
    return Reliability(bins, calibration_error(confidence, correct))


def confusion(probabilities: Floats, cases: LabelledCases) -> Confusion:
    """Among the conditions that lead most often."""
    kept = np.argsort(-np.bincount(cases.top, minlength=len(cases.conditions)), kind="stable")[:COMMONEST]
    place = np.full(len(cases.conditions), len(kept))
    place[kept] = np.arange(len(kept))
    rows, columns = place[cases.top], place[probabilities.argmax(axis=1)]
    counts = np.zeros((len(kept) + 1, len(kept) + 1), np.intp)
    np.add.at(counts, (rows, columns), 1)
    return Confusion(tuple(cases.conditions[c] for c in kept), counts[:-1])


def _sets(answered: HeldOut, cases: LabelledCases, bootstrap: Bootstrap) -> dict[str, dict[str, Sets]]:
    names = cases.tones[OWN_GROUP]
    members = {ALL: np.ones(len(cases), np.bool_), **{group: names == group for group in MONK_GROUPS}}
    found: dict[str, dict[str, Sets]] = {}
    for coverage, covered in answered.covered.items():
        found[f"{coverage:.2f}"] = {}
        for group, inside in members.items():
            statistics = {
                "coverage": mean_of(covered[inside].astype(np.float64)),
                "size": mean_of(answered.set_sizes[coverage][inside].astype(np.float64)),
            }
            figures = bootstrap.figures(f"sets {group}", int(inside.sum()), statistics)
            found[f"{coverage:.2f}"][group] = Sets(figures["coverage"], figures["size"])
    return found

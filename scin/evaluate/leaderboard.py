"""Evaluates one index: held-out answers of each protocol, their figures, and the parameters for serving."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ml.analysis.decision import ALL, TONE_GROUPS
from scin.evaluate import fit, metrics
from scin.evaluate.cases import MONK_GROUP, SEEN, Floats, Ints, LabelledCases, case_folds, count_split
from scin.evaluate.fit import COVERAGES, Choice
from scin.evaluate.held_out import CaseAnswers, Recognition, case_answers, recognition
from scin.evaluate.metrics import TOP_1, Bootstrap, Figure, Figures
from scin.index.vote import COVERAGE, Calibration, probabilities, total_variation

FOLDS = 5
VOTE, HEAD, PRIOR = "vote of the neighbours", "head", "commonest conditions"
#: the method that is chosen on the inner folds, before and after calibration
SERVED, CALIBRATED = "chosen method", "chosen method, calibrated"
PROTOCOLS = (SERVED, CALIBRATED, VOTE, HEAD, PRIOR)
#: macro AUROC that Google's notebook for Derm Foundation reports on SCIN
PUBLISHED = {"Derm Foundation + logistic regression": 0.836, "Derm Foundation + neural network": 0.854}

_PUBLISHED_TEST_SHARE, _PUBLISHED_STRENGTH = 0.2, 0.01
_PLOTTED_BINS, _ERROR_BINS = 10, 15

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Counts:
    """Sizes of the evaluated data. ``judged``: the cases that the figures are about; the encoder was trained on the
    others, or on cases of their groups. ``in_two_folds`` counts cases, photos and groups in more than one fold; it must
    be 0."""

    cases: int
    judged: int
    photos: int
    different_photos: int
    conditions: int
    groups: int
    in_two_folds: int


@dataclass(frozen=True)
class ImageSplit:
    """Macro AUROC of one logistic regression per condition on a random split of images (see ``image_split``)."""

    macro_auroc: Figure
    conditions: tuple[str, ...]
    training_images: int
    tested_images: int
    cases_on_both_sides: int


@dataclass(frozen=True)
class Bin:
    """``n`` cases of similar confidence: their mean confidence, and the share that is correct."""

    confidence: float
    accuracy: float
    n: int


@dataclass(frozen=True)
class Reliability:
    """The probability of the first condition against how often it leads."""

    expected_calibration_error: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Sets:
    """The share of a group's conformal sets that hold a leading condition, and their mean size."""

    coverage: Figure
    size: Figure


@dataclass(frozen=True)
class Confusion:
    """``counts``: rows are the first leading condition; columns what the answer ranks first, the last "any other"."""

    conditions: tuple[str, ...]
    counts: Ints


@dataclass(frozen=True)
class Disagreement:
    """The held-out cases in which head and vote disagree: their share, and the accuracy among them and among the
    others. ``limit``: see ``Calibration.disagreement``."""

    limit: float
    share: float
    accuracy: Figure
    accuracy_of_others: Figure


@dataclass(frozen=True)
class Evaluation:
    """The figures of the held-out folds; ``choice`` and ``calibration`` are fitted to all cases, for serving.

    ``overall``: protocol → figures. ``tones``: protocol → scale → group → figures. ``sets``: stated coverage → tone
    group → sets. ``outliers`` is the share of held-out cases called unlike the index. ``disagreement``: None if answers
    are not worse where head and vote disagree. ``confusion``, ``conditions`` and ``answers`` are of the calibrated
    answers. ``choices``: one for each fold.
    """

    counts: Counts
    overall: Mapping[str, Figures]
    tones: Mapping[str, Mapping[str, Mapping[str, Figures]]]
    image_split: ImageSplit
    case_split: ImageSplit
    before: Reliability
    after: Reliability
    sets: Mapping[str, Mapping[str, Sets]]
    outliers: float
    disagreement: Disagreement | None
    confusion: Confusion
    conditions: tuple[Recognition, ...]
    answers: CaseAnswers
    choices: tuple[Choice, ...]
    choice: Choice
    calibration: Calibration


def evaluate(cases: LabelledCases, *, seed: int, resamples: int, progress: Progress) -> Evaluation:
    """Measure on the outer folds, then fit the choice and calibration to all cases. Deterministic for a seed."""
    bootstrap = Bootstrap(resamples, seed)
    fold = case_folds(cases, FOLDS, seed)
    answered = answer_held_out(cases, fold, seed, lambda done, total: progress("folds", done, total))
    judged = cases.take(np.flatnonzero(fold != SEEN))
    given = answered.probabilities
    overall, tones = {}, {}
    for done, protocol in enumerate(PROTOCOLS, start=1):
        overall[protocol] = metrics.all_figures(given[protocol], judged, bootstrap)
        tones[protocol] = metrics.figures_by_tone(given[protocol], judged, bootstrap)
        progress("figures", done, len(PROTOCOLS))
    choice = fit.choose(cases, seed)
    calibration = fit.calibrate(choice, cases, seed)
    answers = case_answers(
        judged,
        given[CALIBRATED],
        covered=answered.covered[COVERAGE],
        set_sizes=answered.set_sizes[COVERAGE],
        outliers=answered.outliers,
    )
    return Evaluation(
        counts=Counts(
            cases=len(cases),
            judged=len(judged),
            photos=len(cases.photos),
            different_photos=len(cases.vectors),
            conditions=len(cases.conditions),
            groups=len(np.unique(cases.groups)),
            in_two_folds=_count_leaks(cases, fold),
        ),
        overall=overall,
        tones=tones,
        image_split=image_split(judged, bootstrap, seed, whole_cases=False),
        case_split=image_split(judged, bootstrap, seed, whole_cases=True),
        before=reliability(given[SERVED], judged),
        after=reliability(given[CALIBRATED], judged),
        sets=_sets(answered, judged, bootstrap),
        outliers=float(answered.outliers.mean()),
        disagreement=_disagreement(answered, judged, bootstrap, calibration.disagreement),
        confusion=confusion(given[CALIBRATED], judged),
        conditions=recognition(answers, bootstrap),
        answers=answers,
        choices=answered.choices,
        choice=choice,
        calibration=calibration,
    )


def _count_leaks(cases: LabelledCases, fold: Ints) -> int:
    held_out = np.flatnonzero(fold != SEEN)
    some, number = cases.take(held_out), fold[held_out]
    return count_split(number[some.owners], some.owners, some.photos, some.groups[some.owners])


def _disagreement(
    answered: HeldOut, judged: LabelledCases, bootstrap: Bootstrap, limit: float | None
) -> Disagreement | None:
    if limit is None:
        return None
    hits, apart = metrics.per_case(answered.probabilities[CALIBRATED], judged)[TOP_1], answered.disagree
    figures = {
        name: bootstrap.figures(name, int(inside.sum()), {TOP_1: metrics.mean_of(hits[inside])}, judged.groups[inside])[
            TOP_1
        ]
        for name, inside in (("disagree", apart), ("agree", ~apart))
    }
    return Disagreement(limit, float(apart.mean()), figures["disagree"], figures["agree"])


@dataclass(frozen=True)
class HeldOut:
    """Answers to the n cases that are in a fold, each with parameters that were fitted to the other folds.

    ``probabilities``: protocol → (n, C). ``covered`` and ``set_sizes``: stated coverage → (n,), of the conformal set
    for the case's tone group. ``outliers`` (n,): the case is unlike the index. ``disagree`` (n,): head and vote
    disagree. ``choices``: one for each fold.
    """

    probabilities: dict[str, Floats]
    covered: dict[float, NDArray[np.bool_]]
    set_sizes: dict[float, Ints]
    outliers: NDArray[np.bool_]
    disagree: NDArray[np.bool_]
    choices: tuple[Choice, ...] = ()


def answer_held_out(
    cases: LabelledCases, fold: Ints, seed: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> HeldOut:
    """Answer each fold with parameters that are fitted to the other folds. Folds run in parallel.

    BLAS gets one thread, because waiting BLAS threads can make these fits of many small steps ten times slower.
    """
    held_out = np.flatnonzero(fold != SEEN)
    n, folds = len(held_out), int(fold.max()) + 1
    found = HeldOut(
        probabilities={protocol: np.zeros((n, cases.weights.shape[1])) for protocol in PROTOCOLS},
        covered={coverage: np.zeros(n, np.bool_) for coverage in COVERAGES},
        set_sizes={coverage: np.zeros(n, np.intp) for coverage in COVERAGES},
        outliers=np.zeros(n, np.bool_),
        disagree=np.zeros(n, np.bool_),
    )

    def answer_fold(number: int) -> Choice:
        tested = cases.take(np.flatnonzero(fold == number))
        training = cases.take(np.flatnonzero(fold != number))
        choice = fit.choose(training, seed)
        calibration = fit.calibrate(choice, training, seed)
        rows = np.flatnonzero(fold[held_out] == number)
        _answer(found, rows, training, tested, choice=choice, calibration=calibration)
        found.probabilities[PRIOR][rows] = training.weights.mean(axis=0)
        return choice

    choices: list[Choice] = []
    with threadpool_limits(1), ThreadPoolExecutor(min(folds, os.cpu_count() or 1)) as pool:
        for choice in pool.map(answer_fold, range(folds)):
            choices.append(choice)
            progress(len(choices), folds)
    return replace(found, choices=tuple(choices))


def _answer(
    found: HeldOut,
    rows: Ints,
    training: LabelledCases,
    tested: LabelledCases,
    *,
    choice: Choice,
    calibration: Calibration,
) -> None:
    near, voted, learnt, shares = fit.answers(choice, training, tested)
    calibrated = probabilities(shares, calibration.scaling)
    listed = np.where(shares > 0, calibrated, 0.0)  # an answer lists no condition without a share
    by_protocol = {VOTE: voted, HEAD: learnt, SERVED: shares, CALIBRATED: listed}
    for protocol, given in by_protocol.items():
        found.probabilities[protocol][rows] = given
    if calibration.disagreement is not None:
        found.disagree[rows] = total_variation(voted, learnt) > calibration.disagreement
    found.outliers[rows] = fit.mean_distance(near, choice.vote.neighbours) > calibration.outlier
    scores = fit.nonconformity(calibrated, tested.leading)
    for coverage in COVERAGES:
        limits = np.array([fit.threshold(calibration, coverage, str(group)) for group in tested.tones[MONK_GROUP]])
        found.covered[coverage][rows] = scores <= limits
        found.set_sizes[coverage][rows] = (1.0 - calibrated <= limits[:, None]).sum(axis=1)


def image_split(cases: LabelledCases, bootstrap: Bootstrap, seed: int, *, whole_cases: bool) -> ImageSplit:
    """The protocol of the PUBLISHED figures: 80% of the *images*, at random, train; a case can be on both sides.

    ``whole_cases`` splits groups of cases instead, which shows the effect of that leak. One logistic regression for
    each of the commonest conditions predicts whether the differential names it. The interval is over images. A
    condition that does not occur on both sides is left out.
    """
    owner, named = cases.owners, cases.weights > 0
    splitter = GroupShuffleSplit if whole_cases else ShuffleSplit
    split = splitter(n_splits=1, test_size=_PUBLISHED_TEST_SHARE, random_state=seed)
    training, tested = next(split.split(owner, groups=cases.groups[owner] if whole_cases else None))
    learnt, asked = named[owner[training]], named[owner[tested]]
    mixed = learnt.any(axis=0) & ~learnt.all(axis=0) & asked.any(axis=0) & ~asked.all(axis=0)
    commonest = metrics.commonest(cases)
    conditions = commonest[mixed[commonest]]
    scores = np.zeros((len(tested), len(conditions)))
    for column, condition in enumerate(conditions):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=_PUBLISHED_STRENGTH, max_iter=300, tol=1e-3))
        model.fit(cases.vectors[cases.photos[training]], learnt[:, condition])
        scores[:, column] = model.predict_proba(cases.vectors[cases.photos[tested]])[:, 1]
    truth = asked[:, conditions]
    figures = bootstrap.figures(
        "image split", len(tested), {metrics.AUROC: lambda counts: metrics.macro_auroc(scores, truth, counts)}
    )
    return ImageSplit(
        macro_auroc=figures[metrics.AUROC],
        conditions=tuple(cases.conditions[c] for c in conditions),
        training_images=len(training),
        tested_images=len(tested),
        cases_on_both_sides=len(np.intersect1d(owner[training], owner[tested])),
    )


def reliability(probabilities: Floats, cases: LabelledCases) -> Reliability:
    """Reliability of the first condition. If several conditions lead together, each counts as partly correct."""
    confidence = probabilities.max(axis=1)
    correct = cases.first[np.arange(len(cases)), probabilities.argmax(axis=1)]
    place = _bin(confidence, _PLOTTED_BINS)
    members = [place == number for number in np.unique(place)]
    bins = [Bin(float(confidence[m].mean()), float(correct[m].mean()), int(m.sum())) for m in members]
    return Reliability(calibration_error(confidence, correct), tuple(bins))


def calibration_error(confidence: Floats, correct: Floats) -> float:
    """Expected calibration error: mean |confidence − accuracy| over 15 bins of equal width (Guo et al. 2017)."""
    gaps = (correct - confidence) @ calibration_bins(confidence)
    return float(np.abs(gaps).sum() / max(1, len(confidence)))


def calibration_bins(confidence: Floats) -> Floats:
    """(n, 15) which bin of the calibration error each of (n,) confidences is in: 1 there, else 0."""
    return np.eye(_ERROR_BINS)[_bin(confidence, _ERROR_BINS)]


def _bin(confidence: Floats, bins: int) -> Ints:
    return np.minimum((confidence * bins).astype(np.intp), bins - 1)


def confusion(probabilities: Floats, cases: LabelledCases) -> Confusion:
    """The confusion matrix of the conditions that lead most often."""
    kept = np.argsort(-np.bincount(cases.top, minlength=len(cases.conditions)), kind="stable")[: metrics.COMMONEST]
    place = np.full(len(cases.conditions), len(kept))
    place[kept] = np.arange(len(kept))
    counts = confusion_matrix(place[cases.top], place[probabilities.argmax(axis=1)], labels=np.arange(len(kept) + 1))
    return Confusion(tuple(cases.conditions[c] for c in kept), counts[:-1])


def _sets(answered: HeldOut, cases: LabelledCases, bootstrap: Bootstrap) -> dict[str, dict[str, Sets]]:
    names = cases.tones[MONK_GROUP]
    members = {ALL: np.ones(len(cases), np.bool_), **{group: names == group for group in TONE_GROUPS}}
    found: dict[str, dict[str, Sets]] = {}
    for coverage, covered in answered.covered.items():
        sizes = answered.set_sizes[coverage]
        found[f"{coverage:.2f}"] = {}
        for group, inside in members.items():
            statistics = {
                "coverage": metrics.mean_of(covered[inside].astype(np.float64)),
                "size": metrics.mean_of(sizes[inside].astype(np.float64)),
            }
            figures = bootstrap.figures(f"sets {group}", int(inside.sum()), statistics, cases.groups[inside])
            found[f"{coverage:.2f}"][group] = Sets(**figures)
    return found

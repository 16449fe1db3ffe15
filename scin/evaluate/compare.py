"""Compares two evaluations: case by case if they judged the same cases, otherwise side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from ml.analysis.decision import ALL
from ml.errors import ArtifactError
from scin.evaluate import metrics
from scin.evaluate.cases import UNKNOWN, EvaluationError, Floats, Ints
from scin.evaluate.facts import JSON_FILE, index_facts
from scin.evaluate.held_out import HELD_OUT_FILE, CaseAnswers, read_held_out
from scin.evaluate.leaderboard import calibration_bins
from scin.evaluate.metrics import TOO_FEW, Bootstrap, Figure, Statistic
from scin.index.manifest import MANIFEST_FILE, read_manifest

ERROR, COVERAGE, SET_SIZE = "calibration error", "coverage of sets for 90%", "conditions in such a set"
#: metric → +1 if more is better, −1 if less is better, 0 if the stated value is best
METRICS = {
    metrics.TOP_1: 1,
    metrics.TOP_3: 1,
    metrics.RECALL: 1,
    metrics.NDCG: 1,
    ERROR: -1,
    COVERAGE: 0,
    SET_SIZE: -1,
}
#: two releases of a dataset may differ in a few labels
_LEAST_SAME_LABELS = 0.9


@dataclass(frozen=True)
class Evaluated:
    """A report that was read: the facts of its index, its method in words, how many labelled cases an answer could use
    on average, and the held-out answers."""

    index: Mapping[str, Any]
    method: str
    searched: float
    answers: CaseAnswers


@dataclass(frozen=True)
class Difference:
    """A metric of both, and the second minus the first."""

    first: Figure
    second: Figure
    difference: Figure


Differences = Mapping[str, Difference]


@dataclass(frozen=True)
class ConditionDifference:
    """Top-1 of the ``n`` paired cases in which ``name`` leads."""

    name: str
    n: int
    top_1: Difference


@dataclass(frozen=True)
class Paired:
    """Differences over the ``cases`` that both judged, in ``groups`` that share no photo and no patient.

    ``tones``: scale → group → differences. ``conditions``: those with enough cases, largest gain first.
    """

    cases: int
    groups: int
    overall: Differences
    tones: Mapping[str, Mapping[str, Differences]]
    conditions: tuple[ConditionDifference, ...]


@dataclass(frozen=True)
class Comparison:
    """``own``: each one's figures over all its judged cases. ``paired`` is None, with the reason in ``unpaired``, if
    fewer than TOO_FEW cases were judged by both."""

    first: Evaluated
    second: Evaluated
    own: tuple[Mapping[str, Figure], Mapping[str, Figure]]
    paired: Paired | None
    unpaired: str


def read_evaluated(folder: Path, reports: Path) -> Evaluated:
    """Read the report in ``folder``; or, if it is an index, its report in the folder of its name in ``reports``.

    Raises EvaluationError, in one line that says what to do, if it was not evaluated or has changed since.
    """
    is_index = (folder / MANIFEST_FILE).is_file()
    report = reports / folder.resolve().name if is_index else folder
    again = f"python -m scin evaluate --index {folder}" if is_index else "python -m scin evaluate --index INDEX"
    try:
        facts = json.loads((report / JSON_FILE).read_text(encoding="utf-8"))
        index, method, data = facts["index"], facts["chosen"]["method"], facts["data"]
        searched = data["cases"] - data["judged"] / facts["protocol"]["folds"]
        answers = read_held_out(report)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise EvaluationError(
            f"{folder} is not evaluated: {report} has no {JSON_FILE} and {HELD_OUT_FILE}. Run: {again}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{report / JSON_FILE} is damaged. Evaluate the index again: {again}") from error
    if is_index:
        now = index_facts(read_manifest(folder))
        if any(index.get(name) != now[name] for name in ("cases_sha256", "encoder_fingerprint")):
            raise EvaluationError(f"{folder} has changed since it was evaluated. Run: {again}")
    return Evaluated(index, method, searched, answers)


def compare(first: Evaluated, second: Evaluated, bootstrap: Bootstrap) -> Comparison:
    """Compare over the cases that both judged, or say why that cannot be done. Deterministic for a seed."""
    rows, reason = _common(first, second)
    own = tuple(
        bootstrap.figures("own", len(one.answers), _statistics(one.answers), one.answers.group)
        for one in (first, second)
    )
    paired = None if reason else _paired(first.answers.take(rows[0]), second.answers.take(rows[1]), bootstrap)
    return Comparison(first, second, (own[0], own[1]), paired, reason)


def _common(first: Evaluated, second: Evaluated) -> tuple[tuple[Ints, Ints], str]:
    """The rows of the cases that both judged, in both; and why they cannot be paired, or "".

    Different datasets may use the same ids. So a case is the same if its leading condition is the same too, and no case
    is if more than a few ids have other labels.
    """
    _, left, right = np.intersect1d(first.answers.case_id, second.answers.case_id, return_indices=True)
    same = first.answers.truth[left] == second.answers.truth[right]
    rows = (left[same].astype(np.intp), right[same].astype(np.intp))
    if first.index["dataset"] != second.index["dataset"]:
        return rows, "The indexes are of different datasets."
    if len(same) and same.mean() < _LEAST_SAME_LABELS:
        return rows, "The cases with the same ids have other labels, so the indexes are of different datasets."
    if len(rows[0]) < TOO_FEW:
        return rows, f"Both judged only {len(rows[0])} of the same cases; at least {TOO_FEW} are needed."
    return rows, ""


def _paired(first: CaseAnswers, second: CaseAnswers, bootstrap: Bootstrap) -> Paired:
    groups = _joint_groups(first.group, second.group)

    def differences(name: str, rows: Ints, statistics: Callable[[CaseAnswers], Mapping[str, Statistic]]) -> Differences:
        pair = statistics(first.take(rows)), statistics(second.take(rows))
        return _differences(name, len(rows), pair, groups[rows], bootstrap)

    tones: dict[str, dict[str, Differences]] = {}
    for scale, names in first.tones.items():
        present = sorted(set(names.tolist()) - {UNKNOWN}, key=metrics.tone_order)
        tones[scale] = {group: differences(group, np.flatnonzero(names == group), _statistics) for group in present}
    conditions = []
    for name in np.unique(first.truth).tolist():
        rows = np.flatnonzero(first.truth == name)
        if len(rows) >= TOO_FEW:
            found = differences(f"condition {name}", rows, _top_1)[metrics.TOP_1]
            conditions.append(ConditionDifference(name, len(rows), found))
    return Paired(
        cases=len(first),
        groups=len(np.unique(groups)),
        overall=differences(ALL, np.arange(len(first)), _statistics),
        tones=tones,
        conditions=tuple(sorted(conditions, key=lambda one: (-(one.top_1.difference.value or 0.0), one.name))),
    )


def _differences(
    name: str,
    n: int,
    pair: tuple[Mapping[str, Statistic], Mapping[str, Statistic]],
    groups: Ints,
    bootstrap: Bootstrap,
) -> Differences:
    """Both statistics and their difference, all three over the same resamples of groups."""
    statistics: dict[str, Statistic] = {}
    for metric, before in pair[0].items():
        after = pair[1][metric]
        statistics |= {f"first {metric}": before, f"second {metric}": after}
        statistics[f"difference {metric}"] = _less(after, before)
    found = bootstrap.figures(name, n, statistics, groups)
    parts = ("first", "second", "difference")
    return {metric: Difference(*(found[f"{part} {metric}"] for part in parts)) for metric in pair[0]}


def _less(after: Statistic, before: Statistic) -> Statistic:
    return lambda counts: after(counts) - before(counts)


def _statistics(answers: CaseAnswers) -> dict[str, Statistic]:
    """Metric → its statistic, in the order of METRICS."""
    names, top = np.unique(answers.truth, return_inverse=True)
    judged = np.flatnonzero(np.bincount(top, minlength=len(names)) >= metrics.MIN_CASES)
    return {
        **_top_1(answers),
        metrics.TOP_3: metrics.mean_of(answers.top_3),
        metrics.RECALL: lambda counts: metrics.macro_recall(answers.top_1, top, judged, counts),
        metrics.NDCG: metrics.mean_of(answers.ndcg_5),
        ERROR: _calibration_error(answers.answer_probability, answers.answer_correct),
        COVERAGE: metrics.mean_of(answers.covered),
        SET_SIZE: metrics.mean_of(answers.set_size),
    }


def _top_1(answers: CaseAnswers) -> dict[str, Statistic]:
    return {metrics.TOP_1: metrics.mean_of(answers.top_1)}


def _calibration_error(confidence: Floats, correct: Floats) -> Statistic:
    """The expected calibration error of resamples (see ``leaderboard.calibration_error``)."""
    members = calibration_bins(confidence)
    gaps = members * (correct - confidence)[:, None]
    return lambda counts: np.asarray(np.abs(counts @ gaps).sum(axis=1) / counts.sum(axis=1), np.float64)


def _joint_groups(first: Ints, second: Ints) -> Ints:
    """(n,) groups that keep together what either evaluation keeps together."""
    left, right = _numbered(first), _numbered(second) + len(first)
    total = 2 * len(first)
    links = csr_matrix((np.ones(len(first), np.int8), (left, right)), shape=(total, total))
    return np.asarray(connected_components(links, directed=False)[1][left], np.intp)


def _numbered(groups: Ints) -> Ints:
    """The same groups, numbered from 0 without gaps."""
    return np.asarray(np.unique(groups, return_inverse=True)[1], np.intp)

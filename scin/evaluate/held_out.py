"""The answer to each judged case, kept beside the report, so that two evaluations can be compared case by case.

It holds labels, ranks and probabilities. It holds no photo and no embedding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ml.errors import ArtifactError
from scin.evaluate import metrics
from scin.evaluate.cases import Floats, Ints, LabelledCases
from scin.evaluate.metrics import Bootstrap, Figure

HELD_OUT_FILE = "held_out.parquet"
FORMAT = b"1"
_TONE = "tone: "


@dataclass(frozen=True)
class CaseAnswers:
    """One answer for each of n judged cases, in the order of their ids.

    - ``case_id``, ``truth``, ``answer`` (n,): the case, its first leading condition, and the first condition answered.
    - ``group`` (n,): cases with the same number share a photo or a patient.
    - ``truth_rank`` (n,): the rank of ``truth``, from 1; ``truth_probability`` and ``answer_probability`` (n,), 0–1.
    - ``answer_correct`` (n,): 1 if ``answer`` leads alone, 1/k if it leads together with others (k in all), else 0.
    - ``top_1``, ``top_3``, ``ndcg_5`` (n,): the metrics of docs/leaderboard.md.
    - ``covered``, ``set_size`` (n,): whether the conformal set that is served holds a leading condition; its size.
    - ``outlier`` (n,): the case is called unlike the index.
    - ``tones``: scale of skin tones → (n,) each case's group, "" if it is unknown.
    """

    case_id: NDArray[np.str_]
    group: Ints
    truth: NDArray[np.str_]
    answer: NDArray[np.str_]
    truth_rank: Ints
    truth_probability: Floats
    answer_probability: Floats
    answer_correct: Floats
    top_1: Floats
    top_3: Floats
    ndcg_5: Floats
    covered: Floats
    set_size: Floats
    outlier: Floats
    tones: Mapping[str, NDArray[np.str_]]

    def __len__(self) -> int:
        return len(self.case_id)

    def take(self, rows: Ints) -> CaseAnswers:
        """Some of the cases, in the order of ``rows``."""
        chosen = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return replace(self, **chosen, tones={scale: groups[rows] for scale, groups in self.tones.items()})


_COLUMNS = tuple(field.name for field in fields(CaseAnswers) if field.name != "tones")
_TEXTS = ("case_id", "truth", "answer")


def case_answers(
    cases: LabelledCases,
    probabilities: Floats,
    *,
    covered: NDArray[np.bool_],
    set_sizes: Ints,
    outliers: NDArray[np.bool_],
) -> CaseAnswers:
    """The answers to n cases. ``probabilities`` (n, C), and the sets and outliers (n,), are those that are served."""
    rows, first = np.arange(len(cases)), probabilities.argmax(axis=1)
    names, values = np.array(cases.conditions), metrics.per_case(probabilities, cases)
    own = probabilities[rows, cases.top]
    return CaseAnswers(
        case_id=np.array(cases.ids),
        group=cases.groups,
        truth=names[cases.top],
        answer=names[first],
        truth_rank=1 + (probabilities > own[:, None]).sum(axis=1),
        truth_probability=own,
        answer_probability=probabilities[rows, first],
        answer_correct=cases.first[rows, first],
        top_1=values[metrics.TOP_1],
        top_3=values[metrics.TOP_3],
        ndcg_5=values[metrics.NDCG],
        covered=covered.astype(np.float64),
        set_size=set_sizes.astype(np.float64),
        outlier=outliers.astype(np.float64),
        tones=cases.tones,
    )


@dataclass(frozen=True)
class Mistake:
    """``cases`` cases whose first leading condition is ``truth`` are answered with ``answer``, which does not lead."""

    truth: str
    answer: str
    cases: int


@dataclass(frozen=True)
class Recognition:
    """The ``n`` cases whose first leading condition is ``name``: in how many a leading condition is ``first`` or among
    the ``first_three``, and the shares. ``mistakes`` are the wrong answers to them, most frequent first."""

    name: str
    n: int
    first: int
    first_three: int
    top_1: Figure
    top_3: Figure
    mistakes: tuple[Mistake, ...]


def recognition(answers: CaseAnswers, bootstrap: Bootstrap) -> tuple[Recognition, ...]:
    """Each condition that leads in a case, in alphabetical order."""
    found = []
    of_truth: dict[str, list[Mistake]] = {}
    for mistake in mistakes(answers):
        of_truth.setdefault(mistake.truth, []).append(mistake)
    for name in np.unique(answers.truth).tolist():
        own = answers.take(np.flatnonzero(answers.truth == name))
        statistics = {metrics.TOP_1: metrics.mean_of(own.top_1), metrics.TOP_3: metrics.mean_of(own.top_3)}
        figures = bootstrap.figures(f"condition {name}", len(own), statistics, own.group)
        found.append(
            Recognition(
                name,
                n=len(own),
                first=int(own.top_1.sum()),
                first_three=int(own.top_3.sum()),
                top_1=figures[metrics.TOP_1],
                top_3=figures[metrics.TOP_3],
                mistakes=tuple(of_truth.get(name, ())),
            )
        )
    return tuple(found)


def mistakes(answers: CaseAnswers) -> tuple[Mistake, ...]:
    """The confusions, most frequent first; ties in alphabetical order."""
    wrong = answers.top_1 == 0
    pairs = Counter(zip(answers.truth[wrong].tolist(), answers.answer[wrong].tolist(), strict=True))
    return tuple(Mistake(*pair, cases) for pair, cases in sorted(pairs.items(), key=lambda item: (-item[1], item[0])))


def worst_first(conditions: Sequence[Recognition]) -> list[Recognition]:
    """The conditions with enough cases for a figure, lowest recall first; of equal ones, the commonest first."""
    known = [(one.top_1.value, -one.n, one.name, one) for one in conditions if one.top_1.value is not None]
    return [one for *_, one in sorted(known, key=lambda key: key[:3])]


def write_held_out(folder: Path, answers: CaseAnswers) -> None:
    """Write ``held_out.parquet``. The same answers give the same bytes."""
    columns = {name: getattr(answers, name) for name in _COLUMNS}
    columns |= {_TONE + scale: groups for scale, groups in answers.tones.items()}
    table = pa.table({name: pa.array(values.tolist()) for name, values in columns.items()})
    pq.write_table(table.replace_schema_metadata({b"format": FORMAT}), folder / HELD_OUT_FILE, compression="zstd")


def read_held_out(folder: Path) -> CaseAnswers:
    """Raises FileNotFoundError; ArtifactError, in one line, if the file is damaged or of another version."""
    path = folder / HELD_OUT_FILE
    try:
        table = pq.read_table(path, use_threads=False)
        if (table.schema.metadata or {}).get(b"format") != FORMAT:
            raise ArtifactError(f"{path} is of another version. Evaluate the index again: python -m scin evaluate")
        columns = {name: np.array(table[name].to_pylist()) for name in table.column_names}
        tones = {name.removeprefix(_TONE): columns[name] for name in columns if name.startswith(_TONE)}
        return CaseAnswers(**{name: columns[name] for name in _COLUMNS}, tones=tones)
    except (pa.ArrowException, KeyError) as error:
        raise ArtifactError(f"{path} is damaged. Evaluate the index again: python -m scin evaluate") from error

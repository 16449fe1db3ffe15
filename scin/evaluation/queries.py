"""An index asked about other people's labelled photos, through the search and the vote that are served."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.errors import ImageError
from ml.imaging.decode import decode
from ml.models.encoder import Encoder
from ml.values import Vector
from scin.calibration import read_calibration
from scin.evaluation import metrics, scores
from scin.evaluation.artifact import EvaluationError
from scin.evaluation.bootstrap import Bootstrap
from scin.evaluation.cases import Floats, LabelledCases, assemble
from scin.evaluation.scores import Figures
from scin.index import SearchIndex, load_index

FILE_COLUMNS = ("file", "image", "path")
LABEL_COLUMNS = ("condition", "label", "dx", "diagnosis")
CASE_COLUMN = "case_id"
_BATCH = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Query:
    """One photo with its label; photos of one ``case`` are asked about together."""

    case: str
    label: str
    path: Path


@dataclass(frozen=True)
class Answered:
    """``by_condition``: condition → (cases, top-1 hits). ``skipped`` counts photos by the reason; ``unknown`` counts
    cases by their label, where no case of the index has it: they are in no figure."""

    cases: int
    figures: Figures
    by_condition: Mapping[str, tuple[int, int]]
    skipped: Mapping[str, int]
    unknown: Mapping[str, int]


def read_queries(source: Path) -> list[Query]:
    """A folder with one folder a label, or a CSV file with a column of files (relative to it) and one of labels.

    In a CSV file, photos with the same ``case_id`` are one case. Raises EvaluationError if there is nothing to read.
    """
    queries = list(_from_table(source) if source.is_file() else _from_folders(source))
    if not queries:
        raise EvaluationError(f"{source} holds no labelled photos: a folder for each label, or a CSV file, is needed.")
    return queries


def _from_folders(source: Path) -> Iterator[Query]:
    for folder in sorted(path for path in source.glob("*") if path.is_dir()):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            yield Query(str(path), folder.name, path)


def _from_table(source: Path) -> Iterator[Query]:
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        columns = {name.strip().lower(): name for name in rows.fieldnames or ()}
        files, labels = (
            next((columns[n] for n in names if n in columns), None) for names in (FILE_COLUMNS, LABEL_COLUMNS)
        )
        if files is None or labels is None:
            raise EvaluationError(
                f"{source} needs a column {' or '.join(FILE_COLUMNS)} and a column {' or '.join(LABEL_COLUMNS)}."
            )
        for row in rows:
            if row[files] and row[labels]:
                case = row.get(columns.get(CASE_COLUMN, "")) or row[files]
                yield Query(case, row[labels], source.parent / row[files])


def answer(
    folder: Path, encoder: Encoder, queries: Sequence[Query], bootstrap: Bootstrap, progress: Progress
) -> Answered:
    """Ask the index in ``folder``, which has been evaluated. Raises ArtifactError, EvaluationError, ModelError."""
    index = load_index(folder, encoder_fingerprint=encoder.fingerprint, dimension=encoder.dimension)
    known = {_plain(name): name for name in read_calibration(folder).prior}
    vectors, skipped = _embed(queries, encoder, progress)
    photos: dict[str, list[int]] = {}
    labels: dict[str, str] = {}
    unknown: dict[str, str] = {}
    for row, query in enumerate(query for query in queries if query.path in vectors):
        condition = known.get(_plain(query.label))
        if condition is None:
            unknown[query.case] = query.label
        else:
            photos.setdefault(query.case, []).append(row)
            labels[query.case] = condition
    if not photos:
        raise EvaluationError(
            "None of the labels is a condition of the index: " + ", ".join(sorted(set(unknown.values())))
        )
    asked = assemble(
        list(photos),
        [{labels[case]: 1.0} for case in photos],
        list(photos.values()),
        np.stack([vectors[query.path] for query in queries if query.path in vectors]),
        tones={},
        conditions=list(known.values()),
    )
    probabilities = ask(index, asked)
    hits = metrics.per_case(probabilities, asked)[metrics.TOP_1]
    return Answered(
        cases=len(asked),
        figures=scores.overall(probabilities, asked, bootstrap),
        by_condition={
            asked.conditions[c]: (int((asked.top == c).sum()), int(hits[asked.top == c].sum()))
            for c in np.unique(asked.top)
        },
        skipped=dict(sorted(skipped.items())),
        unknown=dict(sorted(Counter(unknown.values()).items())),
    )


def ask(index: SearchIndex, asked: LabelledCases) -> Floats:
    """(n, C) shares of the served vote for each case."""
    column = {name: place for place, name in enumerate(asked.conditions)}
    shares = np.zeros(asked.weights.shape)
    ends = asked.starts + asked.photos_per_case
    for row, (start, end) in enumerate(zip(asked.starts, ends, strict=True)):
        for condition in index.search(asked.vectors[asked.photos[start:end]], 1).conditions:
            if condition.name in column:
                shares[row, column[condition.name]] = condition.probability
    return shares


def _embed(queries: Sequence[Query], encoder: Encoder, progress: Progress) -> tuple[dict[Path, Vector], Counter[str]]:
    """Path → embedding; and why others have none."""
    vectors: dict[Path, Vector] = {}
    skipped: Counter[str] = Counter()
    paths = list(dict.fromkeys(query.path for query in queries))
    for start in range(0, len(paths), _BATCH):
        decoded = {}
        for path in paths[start : start + _BATCH]:
            try:
                decoded[path] = decode(path.read_bytes()).rgb
            except OSError:
                skipped["file missing"] += 1
            except ImageError as error:
                skipped[f"image: {error.code}"] += 1
        if decoded:
            vectors |= dict(zip(decoded, encoder.embed(list(decoded.values())), strict=True))
        progress(min(start + _BATCH, len(paths)), len(paths))
    return vectors, skipped


def _plain(name: str) -> str:
    """Names match whatever stands between their words, and in capitals or not."""
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))

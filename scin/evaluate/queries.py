"""Searches an index for the user's own labelled photos, as in serving, and reports how often the answer is right."""

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
from scin.evaluate import metrics
from scin.evaluate.cases import EvaluationError, Floats, LabelledCases, assemble
from scin.evaluate.metrics import Bootstrap, Figures
from scin.evaluate.report import MAIN_METRICS, table, text, write_json
from scin.index.manifest import Manifest
from scin.index.search import SearchIndex, load_index
from scin.index.vote import read_calibration

FILE_COLUMNS = ("file", "image", "path")
LABEL_COLUMNS = ("condition", "label", "dx", "diagnosis")
CASE_COLUMN = "case_id"
_BATCH = 16

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Query:
    """A labelled photo. The photos with the same ``case`` are searched together."""

    case: str
    label: str
    path: Path


@dataclass(frozen=True)
class Answers:
    """The results of a report. ``by_condition``: condition → number of cases (``n``) and ``top-1 hits``.

    The figures exclude ``photos_skipped`` (reason → photos) and ``cases_with_unknown_labels`` (label → cases), whose
    label is not a condition of the index.
    """

    cases: int
    figures: Figures
    by_condition: Mapping[str, Mapping[str, int]]
    photos_skipped: Mapping[str, int]
    cases_with_unknown_labels: Mapping[str, int]


def read_queries(source: Path) -> list[Query]:
    """Read a folder with one folder per label, or a CSV file with a column of files (relative to it) and of labels.

    In a CSV file, photos with the same ``case_id`` are one case. Raises EvaluationError if there are no photos.
    """
    queries = list(_from_table(source) if source.is_file() else _from_folders(source))
    if not queries:
        raise EvaluationError(f"{source} has no labelled photos. Give one folder for each label, or a CSV file.")
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
) -> Answers:
    """Search the index in ``folder`` for each case. The index must have a calibration.

    Raises ArtifactError, ModelError, and EvaluationError if no label is a condition of the index.
    """
    index = load_index(folder, encoder_fingerprint=encoder.fingerprint, dimension=encoder.dimension)
    conditions = {_plain(name): name for name in read_calibration(folder).prior}
    vectors, skipped = _embed(queries, encoder, progress)
    photos: dict[str, list[int]] = {}
    labels: dict[str, str] = {}
    unknown: dict[str, str] = {}
    embedded = [query for query in queries if query.path in vectors]
    for row, query in enumerate(embedded):
        condition = conditions.get(_plain(query.label))
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
        np.stack([vectors[query.path] for query in embedded]),
        tones={},
        conditions=list(conditions.values()),
    )
    shares = ask(index, asked)
    hits = metrics.per_case(shares, asked)[metrics.TOP_1]
    return Answers(
        cases=len(asked),
        figures=metrics.all_figures(shares, asked, bootstrap),
        by_condition={
            asked.conditions[c]: {"n": int((asked.top == c).sum()), "top-1 hits": int(hits[asked.top == c].sum())}
            for c in np.unique(asked.top)
        },
        photos_skipped=dict(sorted(skipped.items())),
        cases_with_unknown_labels=dict(sorted(Counter(unknown.values()).items())),
    )


def ask(index: SearchIndex, asked: LabelledCases) -> Floats:
    """(n, C) each condition's share of the vote, as in serving."""
    column = {name: place for place, name in enumerate(asked.conditions)}
    shares = np.zeros(asked.weights.shape)
    for row, photos in enumerate(np.split(asked.photos, asked.starts[1:])):
        for condition in index.search(asked.vectors[photos], 1).conditions:
            if condition.name in column:
                shares[row, column[condition.name]] = condition.probability
    return shares


def _embed(queries: Sequence[Query], encoder: Encoder, progress: Progress) -> tuple[dict[Path, Vector], Counter[str]]:
    """Path → embedding, and the number of photos without one for each reason."""
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
    """The name's words in lower case: capitals and separators do not matter."""
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


def write_answers(found: Answers, manifest: Manifest, out: Path) -> None:
    """Write ``queries.json`` and ``queries.md``."""
    out.mkdir(parents=True, exist_ok=True)
    facts = {
        "index": manifest.name,
        "synthetic": manifest.synthetic,
        "transform": manifest.transforms,
        **vars(manifest.vote),
        **vars(found),
    }
    write_json(out / "queries.json", facts)
    (out / "queries.md").write_text(_markdown(found, manifest), encoding="utf-8")


def _markdown(found: Answers, manifest: Manifest) -> str:
    left_out = [f"{count} photos ({reason})" for reason, count in found.photos_skipped.items()]
    left_out += [
        f"{count} cases of “{label}”, which the index does not know"
        for label, count in found.cases_with_unknown_labels.items()
    ]
    rows = [[name, str(of["n"]), f"{of['top-1 hits'] / of['n']:.3f}"] for name, of in found.by_condition.items()]
    lines = [
        f"# Labelled photos and the index “{manifest.name}”",
        "",
        f"{found.cases} cases. {manifest.transforms[0]}, {manifest.vote.neighbours} neighbours, temperature "
        f"{manifest.vote.temperature:g}. Left out: {', '.join(left_out) or 'none'}.",
        *table(["metric", "value [95% interval]"], [[metric, text(found.figures[metric])] for metric in MAIN_METRICS]),
        *table(["condition", "n", "top-1"], rows),
    ]
    return "\n".join(lines) + "\n"

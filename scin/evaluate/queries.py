"""Searches an index for the user's own labelled photos, as in serving, and reports how often the answer is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.errors import ImageError
from ml.imaging.decode import decode
from ml.models.encoder import Encoder
from ml.values import Vector
from scin.evaluate import metrics
from scin.evaluate.cases import SAME_PHOTO, EvaluationError, Floats, LabelledCases, assemble
from scin.evaluate.document import figure_cell, markdown_table, table
from scin.evaluate.facts import write_json
from scin.evaluate.metrics import MAIN, Bootstrap, Figures
from scin.index.manifest import Manifest
from scin.index.search import SearchIndex, load_index
from scin.index.vectors import read_embeddings
from scin.index.vote import read_calibration
from scin.labelled_photos import Source
from scin.labels import Names, is_missing

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
    """Read labelled photos (scin.labelled_photos). Photos of one case are searched together.

    Raises EvaluationError if there are no photos, or PhotosError.
    """
    photos = Source(source)
    queries = [
        Query("/".join((row.patient, row.case)) if row.case else row.file, row.label, _path(photos, row.file))
        for row in photos.rows()
        if row.file and not is_missing(row.label)
    ]
    if not queries:
        raise EvaluationError(f"{source} has no labelled photos. Give one folder for each label, or a CSV file.")
    return queries


def _path(photos: Source, file: str) -> Path:
    """The only file that is meant, else the path as it is written, which is then reported as missing."""
    found = photos.find(file)
    return found[0] if len(found) == 1 else photos.root / file


def answer(
    folder: Path, encoder: Encoder, queries: Sequence[Query], bootstrap: Bootstrap, progress: Progress
) -> Answers:
    """Search the index in ``folder`` for each case. The index must have a calibration. Cases of which the index holds a
    photo are left out, because they would find themselves.

    Raises ArtifactError, ModelError, and EvaluationError if no label is a condition of the index or nothing is left.
    """
    index = load_index(folder, encoder_fingerprint=encoder.fingerprint, dimension=encoder.dimension)
    conditions = read_calibration(folder).conditions
    names = Names(conditions)
    vectors, skipped = _embed(queries, encoder, progress)
    photos: dict[str, list[int]] = {}
    labels: dict[str, str] = {}
    unknown: dict[str, str] = {}
    embedded = _unknown_to([query for query in queries if query.path in vectors], vectors, folder, skipped)
    for row, query in enumerate(embedded):
        condition = names.find(query.label)
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
        conditions=conditions,
    )
    given = ask(index, asked)
    hits = metrics.per_case(given, asked)[metrics.TOP_1]
    return Answers(
        cases=len(asked),
        figures=metrics.all_figures(given, asked, bootstrap),
        by_condition={
            asked.conditions[c]: {"n": int((asked.top == c).sum()), "top-1 hits": int(hits[asked.top == c].sum())}
            for c in np.unique(asked.top)
        },
        photos_skipped=dict(sorted(skipped.items())),
        cases_with_unknown_labels=dict(sorted(Counter(unknown.values()).items())),
    )


def _unknown_to(
    queries: Sequence[Query], vectors: Mapping[Path, Vector], folder: Path, skipped: Counter[str]
) -> list[Query]:
    """The queries of cases without a photo in the index in ``folder``; the others are counted in ``skipped``."""
    stored = np.asarray(read_embeddings(folder), np.float32)
    stored = stored / np.linalg.norm(stored, axis=1, keepdims=True)
    held = {path for path, vector in vectors.items() if (stored @ vector).max() >= SAME_PHOTO * np.linalg.norm(vector)}
    known = {query.case for query in queries if query.path in held}
    kept = [query for query in queries if query.case not in known]
    if len(kept) < len(queries):
        skipped["of a case in the index"] = len(queries) - len(kept)
    if queries and not kept:
        raise EvaluationError("The index holds all of these photos or other photos of their cases. Ask about new ones.")
    return kept


def ask(index: SearchIndex, asked: LabelledCases) -> Floats:
    """(n, C) the probability of each condition that the answer lists, 0 for the others: calibrated, or the share if the
    index has no calibration."""
    column = {name: place for place, name in enumerate(asked.conditions)}
    given = np.zeros(asked.weights.shape)
    for row, photos in enumerate(np.split(asked.photos, asked.starts[1:])):
        for one in index.search(asked.vectors[photos], 1).conditions:
            if one.name in column:
                served = one.probability if one.calibrated_probability is None else one.calibrated_probability
                given[row, column[one.name]] = served
    return given


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
        *markdown_table(
            table(["metric", "value [95% interval]"], [[one, figure_cell(found.figures[one])] for one in MAIN])
        ),
        *markdown_table(table(["condition", "n", "top-1"], rows)),
    ]
    return "\n".join(lines) + "\n"

"""What the command does: evaluate an index, report, and give the index what was chosen; or put questions to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ml.models.encoder import Encoder
from scin.evaluation import plots, report
from scin.evaluation.artifact import calibration_of, read_index, write_choice
from scin.evaluation.bootstrap import Bootstrap
from scin.evaluation.evaluation import Evaluation, Progress, evaluate
from scin.evaluation.queries import Answered, answer, read_queries
from scin.evaluation.query_report import answered_json, answered_markdown
from scin.index.manifest import read_manifest
from scin.index.vote import CALIBRATION_FILE

REPORT, QUERIES = "leaderboard", "queries"


def evaluate_index(
    folder: Path, out: Path, *, seed: int, resamples: int, write: bool, progress: Progress
) -> Evaluation:
    """Evaluate the index in ``folder`` and report to ``out``; with ``write``, give it what was chosen and measured.

    Raises ArtifactError if the index is not whole, EvaluationError if it is too small.
    """
    manifest, cases = read_index(folder, seed)
    found = evaluate(cases, seed=seed, resamples=resamples, progress=progress)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / f"{REPORT}.json", report.as_json(found, manifest, seed=seed, resamples=resamples))
    text = report.as_markdown(found, manifest, seed=seed, resamples=resamples)
    (out / f"{REPORT}.md").write_text(text, encoding="utf-8")
    plots.draw(found, manifest, out)
    if write:
        write_choice(folder, found.choice, calibration_of(found.fitted, cases, found.cited))
    return found


def is_evaluated(folder: Path) -> bool:
    """Whether the index has a calibration."""
    return CALIBRATION_FILE in read_manifest(folder).files


def ask_index(
    folder: Path, out: Path, source: Path, encoder: Encoder, *, seed: int, resamples: int, progress: Progress
) -> Answered:
    """Ask the evaluated index in ``folder`` about labelled photos and report to ``out``."""
    queries = read_queries(source)
    bootstrap = Bootstrap(resamples, seed)
    found = answer(folder, encoder, queries, bootstrap, lambda done, total: progress("photos", done, total))
    manifest = read_manifest(folder)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / f"{QUERIES}.json", answered_json(found, manifest))
    (out / f"{QUERIES}.md").write_text(answered_markdown(found, manifest), encoding="utf-8")
    return found


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    path.write_text(json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")

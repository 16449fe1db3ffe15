"""The tasks of the commands: evaluate and update an index, search it for labelled photos, or compare two of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ml.analysis.decision import ALL
from ml.models.encoder import Encoder
from scin.evaluate.cases import MONK_GROUP, LabelledCases, TooFewToEvaluateError, labelled_cases
from scin.evaluate.compare import compare, read_evaluated
from scin.evaluate.compare_report import write_comparison
from scin.evaluate.fit import Choice
from scin.evaluate.head import fit_heads
from scin.evaluate.leaderboard import CALIBRATED, Evaluation, Progress, evaluate
from scin.evaluate.metrics import TOO_FEW, TOP_1, TOP_3, Bootstrap
from scin.evaluate.queries import Answers, answer, read_queries, write_answers
from scin.evaluate.report import CARD, write_leaderboard
from scin.index.cases import read_cases
from scin.index.head import HEAD_FILE, Head
from scin.index.manifest import Manifest, read_manifest, replace_folder, verify_files, write_manifest
from scin.index.vectors import index_file, read_embeddings, write_index
from scin.index.vote import CALIBRATION_FILE, Accuracy, Calibration
from storage.base import sha256_file

#: every case is compared with every other, so a larger index is evaluated on a random sample
MOST_CASES = 10_000
#: with fewer cases, the nested folds are too small
LEAST_CASES = 2 * TOO_FEW


def evaluate_index(
    folder: Path, out: Path, *, seed: int, resamples: int, write: bool, progress: Progress
) -> Evaluation:
    """Evaluate the index in ``folder`` and report to ``out``; with ``write``, update its vote and calibration.

    Raises ArtifactError if the index is damaged, TooFewToEvaluateError if it has too few cases.
    """
    manifest, cases = read_index(folder, seed)
    with threadpool_limits(1):  # the number of BLAS threads would change the last digits
        found = evaluate(cases, seed=seed, resamples=resamples, progress=progress)
    card = (folder / CARD).read_text(encoding="utf-8") if CARD in manifest.files else ""
    write_leaderboard(found, manifest, out, card=card, seed=seed, resamples=resamples)
    if write:
        with threadpool_limits(1):
            head = fit_heads([found.choice.head], cases)[0] if found.choice.head_weight else None
        write_choice(folder, found.choice, replace(found.calibration, accuracy=_cited_accuracy(found)), head)
    return found


def _cited_accuracy(found: Evaluation) -> dict[str, dict[str, Accuracy]]:
    """Tone group (and "all") → the held-out accuracies that an answer cites."""
    groups = {ALL: found.overall[CALIBRATED], **found.tones[CALIBRATED][MONK_GROUP]}
    return {
        group: {metric: Accuracy(**vars(figures[metric])) for metric in (TOP_1, TOP_3)}
        for group, figures in groups.items()
    }


def is_evaluated(folder: Path) -> bool:
    """Whether the index has a calibration."""
    return CALIBRATION_FILE in read_manifest(folder).files


def ask_index(
    folder: Path, out: Path, source: Path, encoder: Encoder, *, seed: int, resamples: int, progress: Progress
) -> Answers:
    """Ask the evaluated index in ``folder`` about the labelled photos in ``source`` and report to ``out``."""
    queries = read_queries(source)
    bootstrap = Bootstrap(resamples, seed)
    found = answer(folder, encoder, queries, bootstrap, lambda done, total: progress("photos", done, total))
    write_answers(found, read_manifest(folder), out)
    return found


def compare_indexes(first: Path, second: Path, reports: Path, out: Path, *, seed: int, resamples: int) -> str:
    """Compare two evaluated indexes, or folders of reports, report to ``out``, and return the result in short.

    The report of an index is in the folder of its name in ``reports``. Raises EvaluationError if one is not evaluated.
    """
    found = compare(read_evaluated(first, reports), read_evaluated(second, reports), Bootstrap(resamples, seed))
    return write_comparison(found, out, seed=seed, resamples=resamples)


def read_index(folder: Path, seed: int) -> tuple[Manifest, LabelledCases]:
    """Verify an index and read its labelled cases.

    Raises ArtifactError if a file is missing or damaged, TooFewToEvaluateError if there are fewer than LEAST_CASES
    cases, or groups of cases, that the encoder was not trained on.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    cases = labelled_cases(read_cases(folder), read_embeddings(folder), MOST_CASES, seed)
    unseen = cases.unseen
    if unseen.sum() < LEAST_CASES or len(np.unique(cases.groups[unseen])) < LEAST_CASES:
        which = "labelled cases that its encoder was not trained on" if cases.seen.any() else "labelled cases"
        raise TooFewToEvaluateError(
            f"{folder} has {unseen.sum()} {which}. At least {LEAST_CASES} distinct ones are needed."
        )
    return manifest, cases


def write_choice(folder: Path, choice: Choice, calibration: Calibration, head: Head | None = None) -> Manifest:
    """Rebuild the index with the chosen transform, set its vote, head and calibration, and return the new manifest.

    The new folder is completed beside the old one (unchanged files are hard links) and then takes its name. Processes
    that have the old files open go on reading them, and a process that opens the folder finds a consistent index.
    """
    manifest = read_manifest(folder)
    written = [index_file(manifest.structure.kind), CALIBRATION_FILE, *([HEAD_FILE] if head is not None else [])]
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        new = Path(temporary, "new")
        new.mkdir()
        kept = [name for name in manifest.files if name not in (*written, HEAD_FILE)]
        for name in kept:
            _link_or_copy(folder / name, new / name)
        structure = write_index(new, read_embeddings(new), choice.transform, manifest.structure.kind)
        calibration.write(new)
        if head is not None:
            head.write(new)
        changed = {name: sha256_file(new / name) for name in written}
        updated = replace(
            manifest,
            transforms=choice.transform.steps,
            structure=structure,
            vote=choice.vote,
            head_weight=choice.head_weight,
            files={**{name: manifest.files[name] for name in kept}, **changed},
        )
        write_manifest(new, updated)
        verify_files(new, updated)
        replace_folder(folder, new, aside=Path(temporary, "old"))
    return updated


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)  # an encoder is in a folder of its own
    try:
        os.link(source, target)
    except OSError:  # the file system has no hard links
        shutil.copyfile(source, target)

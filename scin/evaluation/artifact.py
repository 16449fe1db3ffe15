"""The index that is evaluated: its cases read, and what was chosen written back to it, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from ml.errors import MLError
from scin.evaluation.bootstrap import TOO_FEW
from scin.evaluation.calibrating import Fitted
from scin.evaluation.cases import LabelledCases, labelled_cases
from scin.evaluation.scores import Figures
from scin.evaluation.selection import Choice
from scin.index.cases import read_cases
from scin.index.manifest import Manifest, read_manifest, verify_files, write_manifest
from scin.index.vectors import index_file, read_embeddings, write_index
from scin.index.vote import CALIBRATION_FILE, FORMAT, Accuracy, Calibration
from storage.base import sha256_file

#: every case is compared with every other: of more than these a random part is evaluated
MOST_CASES = 10_000
#: folds in folds: fewer cases leave nothing to choose on
LEAST_CASES = 2 * TOO_FEW


class EvaluationError(MLError):
    """An index, or a folder of labelled photos, that cannot be evaluated; the message says why."""


def read_index(folder: Path, seed: int) -> tuple[Manifest, LabelledCases]:
    """Verify an index and read its labelled cases.

    Raises ArtifactError if there is none or a file is damaged, EvaluationError if it has too few cases.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    cases = labelled_cases(read_cases(folder), read_embeddings(folder), MOST_CASES, seed)
    if len(cases) < LEAST_CASES or len(set(cases.groups.tolist())) < LEAST_CASES:
        raise EvaluationError(f"{folder} has {len(cases)} labelled cases: at least {LEAST_CASES} are needed.")
    return manifest, cases


def write_choice(folder: Path, choice: Choice, calibration: Calibration) -> Manifest:
    """Arrange the index by the chosen transform, and put vote and calibration beside it; returns the new manifest.

    A sibling folder is made whole, unchanged files as hard links, and takes the index's place: who has the old files
    open goes on reading them, and whoever opens the folder finds files that match their manifest.
    """
    manifest = read_manifest(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        work = Path(temporary, "new")
        work.mkdir()
        written = (index_file(manifest.structure.kind), CALIBRATION_FILE)
        for name in manifest.files:
            if name not in written:
                _keep(folder / name, work / name)
        structure = write_index(work, read_embeddings(work), choice.transform, manifest.structure.kind)
        calibration.write(work)
        changed = {name: sha256_file(work / name) for name in written}
        updated = replace(
            manifest,
            transforms=choice.transform.steps,
            structure=structure,
            vote=choice.vote,
            files={**manifest.files, **changed},
        )
        write_manifest(work, updated)
        verify_files(work, updated)
        _swap(folder, work, aside=Path(temporary, "old"))
    return updated


def _keep(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _swap(folder: Path, new: Path, aside: Path) -> None:
    folder.rename(aside)
    try:
        new.rename(folder)
    except OSError:
        aside.rename(folder)
        raise


def calibration_of(fitted: Fitted, cases: LabelledCases, accuracy: dict[str, Figures]) -> Calibration:
    """In the form that is kept beside the index. ``accuracy``: tone group → figures of held-out folds."""
    return Calibration(
        format=FORMAT,
        scaling=fitted.scaling,
        prior={name: float(share) for name, share in zip(cases.conditions, fitted.prior, strict=True)},
        quantiles={f"{coverage:.2f}": dict(groups) for coverage, groups in fitted.quantiles.items()},
        distances=tuple(float(distance) for distance in fitted.distances),
        outlier=fitted.outlier,
        accuracy={
            group: {metric: Accuracy(f.n, f.value, f.low, f.high) for metric, f in figures.items()}
            for group, figures in accuracy.items()
        },
    )

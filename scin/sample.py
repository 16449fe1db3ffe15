"""The embedded sample: a generated dataset in SCIN's layout, and its index."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ml.errors import ArtifactError
from ml.models.encoder import Encoder
from scin.build import build, check_replaceable
from scin.index.manifest import MANIFEST_FILE, MEASURES, Manifest, read_manifest
from scin.index.search import load_index
from scin.layout import CASES_FILE, LABELS_FILE
from scin.synthetic import RELEASE, generate_dataset
from storage import open_storage

NAME = "sample"
#: this file shows that the generator made the folder
_GENERATED = "dataset/synthetic_truth.csv"
DEFAULT_CASES, DEFAULT_SEED = 320, 20240601
#: modification time (Unix seconds) of the generated tables; fixed, so that the index has the same bytes everywhere
_EPOCH = 1_717_200_000

Progress = Callable[[str, int, int], None]


def is_current(folder: Path, encoder_fingerprint: str, dimension: int) -> bool:
    """Whether ``folder`` holds an intact sample index made with this generator, encoder and builder."""
    try:
        manifest = read_manifest(folder)
        load_index(folder, encoder_fingerprint=encoder_fingerprint, dimension=dimension)
    except ArtifactError:
        return False
    return manifest.synthetic and manifest.release == RELEASE and manifest.measures == MEASURES


def build_sample(
    dataset: Path,
    out: Path,
    encoder: Encoder,
    *,
    cases: int,
    seed: int,
    progress: Progress = lambda stage, done, total: None,
) -> Manifest:
    """Generate ``cases`` cases in ``dataset`` and index them in ``out``. Replaces the results of an earlier run.

    ``progress`` gets (stage, done, total). Raises BuildError if a folder contains anything else.
    """
    check_replaceable(dataset, _GENERATED)
    check_replaceable(out, MANIFEST_FILE)
    shutil.rmtree(dataset, ignore_errors=True)
    generate_dataset(dataset, cases, seed, progress=partial(progress, "generate"))
    root = dataset / "dataset"
    for name in (CASES_FILE, LABELS_FILE):
        os.utime(root / name, (_EPOCH, _EPOCH))
    return build(open_storage(str(root)), out, encoder, name=NAME, progress=partial(progress, "index"))

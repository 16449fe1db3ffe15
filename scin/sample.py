"""The embedded sample: generated skin in SCIN's layout, indexed by the builder that serves the real dataset."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ml.errors import ArtifactError
from ml.models.encoder import Encoder
from scin.build import build, check_replaceable
from scin.dataset import CASES_FILE, LABELS_FILE
from scin.index import load_index
from scin.manifest import MANIFEST_FILE, MEASURES, Manifest, read_manifest
from scin.synthetic import RELEASE, generate_dataset
from storage import open_storage

NAME = "sample"
#: a file that only the generator writes
_GENERATED = "dataset/synthetic_truth.csv"
DEFAULT_CASES, DEFAULT_SEED = 320, 20240601
#: generated files carry one fixed time, so that an index of them is the same bytes on every machine
_EPOCH = 1_717_200_000

Progress = Callable[[str, int, int], None]


def is_current(folder: Path, encoder_fingerprint: str, dimension: int) -> bool:
    """Whether ``folder`` holds a whole sample index of this generator, encoder and builder."""
    try:
        manifest = read_manifest(folder)
        load_index(folder, encoder_fingerprint=encoder_fingerprint, dimension=dimension)
    except ArtifactError:
        return False
    return manifest.synthetic and manifest.release == RELEASE and manifest.measures == MEASURES


def build_sample(
    dataset: Path, out: Path, encoder: Encoder, *, cases: int, seed: int, progress: Progress | None = None
) -> Manifest:
    """Generate ``cases`` cases below ``dataset`` and index them in ``out``; what an earlier run made is replaced.

    ``progress`` hears (stage, done, total). Raises BuildError if a folder holds anything else.
    """
    check_replaceable(dataset, _GENERATED)
    check_replaceable(out, MANIFEST_FILE)
    say = progress or (lambda stage, done, total: None)
    shutil.rmtree(dataset, ignore_errors=True)
    generate_dataset(dataset, cases, seed, progress=lambda done, total: say("generate", done, total))
    root = dataset / "dataset"
    for name in (CASES_FILE, LABELS_FILE):
        os.utime(root / name, (_EPOCH, _EPOCH))
    return build(
        open_storage(str(root)), out, encoder, name=NAME, progress=lambda done, total: say("index", done, total)
    )

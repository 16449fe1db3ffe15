"""Labelled cases with a planted truth, for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.analysis.decision import tone_group
from ml.values import Vectors
from scin.evaluate.cases import MONK, MONK_GROUP, LabelledCases, assemble
from scin.index.cases import StoredCase
from scin.index.manifest import Manifest, write_manifest
from scin.index.vectors import EMBEDDINGS, write_embeddings
from storage.base import sha256_file
from tests.unit.scin.index_folder import stored, unit, write_folder

DIMENSION = 16


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def cases_of(
    labels: Sequence[Mapping[str, float]],
    vectors: Vectors,
    photos: Sequence[Sequence[int]] | None = None,
    monk: Sequence[int] | None = None,
) -> LabelledCases:
    """One photo a case, in the order of the vectors, unless ``photos`` says otherwise."""
    tones = np.array(monk if monk is not None else [3] * len(labels))
    return assemble(
        [f"{number:06d}" for number in range(len(labels))],
        labels,
        photos if photos is not None else [[row] for row in range(len(labels))],
        vectors,
        tones={
            MONK: np.array([f"Monk {tone}" for tone in tones]),
            MONK_GROUP: np.array([tone_group(int(tone)) for tone in tones]),
        },
    )


def names(classes: NDArray[np.integer]) -> list[dict[str, float]]:
    """Differentials of one condition each."""
    return [{f"condition {number:02d}": 1.0} for number in classes]


def classes_of(n: int, number: int, seed: int) -> NDArray[np.integer]:
    """n classes as evenly many as can be, shuffled."""
    return np.random.default_rng(seed).permutation(np.arange(n) % number)


def embedded(classes: NDArray[np.integer], noise: float, seed: int, dimension: int = DIMENSION) -> Vectors:
    """Unit vectors around one axis a class, with Gaussian noise in every dimension."""
    rng = np.random.default_rng(seed)
    return unit(np.eye(dimension)[classes] + noise * rng.normal(size=(len(classes), dimension)))


def index_of(folder: Path, classes: NDArray[np.integer], noise: float, seed: int, **facts: object) -> Manifest:
    """An index folder as the builder leaves it: one case a class entry, two photos each, tones in turn."""
    vectors = embedded(np.repeat(classes, 2), noise, seed)
    labels = names(classes)
    cases = [
        replace(
            stored(f"{number:06d}", (2 * number, 2 * number + 1), labels[number]),
            monk_india=1 + number % 10,
            monk_us=1 + number % 10,
        )
        for number in range(len(classes))
    ]
    return with_embeddings(folder, vectors, cases, **facts)


def with_embeddings(folder: Path, vectors: Vectors, cases: Sequence[StoredCase], **facts: object) -> Manifest:
    manifest = write_folder(folder, vectors, cases, **facts)
    write_embeddings(folder, vectors, *vectors.shape)
    manifest = replace(manifest, files={**manifest.files, EMBEDDINGS: sha256_file(folder / EMBEDDINGS)})
    write_manifest(folder, manifest)
    return manifest

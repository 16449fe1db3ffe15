"""An index engine of one file: it compares a query with every vector in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.values import Vectors
from scin.index.manifest import Structure
from scin.index.vectors import Transform, TransformSpec

VERSION = np.__version__


@dataclass(frozen=True)
class NumpyIndex:
    stored: Vectors
    fitted: Transform

    @property
    def dimension(self) -> int:
        return len(self.fitted.mean)

    @property
    def count(self) -> int:
        return len(self.stored)

    def nearest(self, queries: Vectors, most: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        cosines = self.transform(queries) @ self.stored.T
        rows = np.argsort(-cosines, axis=1, kind="stable")[:, :most]
        return np.take_along_axis(cosines, rows, axis=1), rows

    def transform(self, vectors: Vectors) -> Vectors:
        return self.fitted.apply(vectors)


def write(path: Path, vectors: Vectors, transform: Transform, kind: str) -> Structure:
    matrix = np.eye(len(transform.mean), dtype=np.float32) if transform.matrix is None else transform.matrix
    with path.open("wb") as file:
        np.savez(file, stored=transform.apply(vectors), mean=transform.mean, matrix=matrix)
    return Structure(kind)


def read(path: Path, structure: Structure, *, mmap: bool) -> NumpyIndex:
    with np.load(path) as kept:
        return NumpyIndex(kept["stored"], Transform(TransformSpec(), kept["mean"], kept["matrix"]))

"""The head of an index: a multinomial logistic regression on a case's mean embedding. Serving it needs numpy alone.

``python -m scin evaluate`` fits it, and writes it if it takes part in the answer (``Manifest.head_weight``).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.errors import ArtifactError
from ml.values import Floats, Vectors

HEAD_FILE = "head.npz"


@dataclass(frozen=True)
class Head:
    """``weights`` (dimension, C) and ``intercepts`` (C,), float32, give the log-odds of C ``conditions``."""

    conditions: tuple[str, ...]
    weights: Floats
    intercepts: Floats

    def shares(self, features: Vectors) -> NDArray[np.float64]:
        """(n, C) shares, whose rows sum to 1. ``features`` (n, dimension): the mean of the embeddings of each case's
        photos."""
        return softmax(features @ self.weights + self.intercepts)

    def of(self, conditions: Sequence[str]) -> Head:
        """This head with its columns in the order of ``conditions``, which include its own; the others' share is 0."""
        place = {name: column for column, name in enumerate(conditions)}
        own = [place[name] for name in self.conditions]
        weights = np.zeros((len(self.weights), len(conditions)), np.float32)
        intercepts = np.full(len(conditions), -np.inf, np.float32)
        weights[:, own], intercepts[own] = self.weights, self.intercepts
        return Head(tuple(conditions), weights, intercepts)

    def write(self, folder: Path) -> None:
        """The same head gives the same bytes."""
        np.savez(
            folder / HEAD_FILE,
            allow_pickle=False,
            conditions=np.array(self.conditions, np.str_),
            weights=self.weights,
            intercepts=self.intercepts,
        )


def read_head(folder: Path, dimension: int) -> Head:
    """Raises ArtifactError, in one line, if the file is missing, damaged or made for another dimension."""
    path = folder / HEAD_FILE
    try:
        # numpy does not close a file that it cannot read.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            names, weights, intercepts = (file[name] for name in ("conditions", "weights", "intercepts"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path} is missing or damaged. Write it again: {_command(folder)}") from error
    finite = all(array.dtype == np.float32 and np.isfinite(array).all() for array in (weights, intercepts))
    if not finite or weights.shape != (dimension, len(names)) or intercepts.shape != (len(names),):
        raise ArtifactError(f"{path} does not fit its index. Write it again: {_command(folder)}")
    return Head(tuple(names.tolist()), weights, intercepts)


def _command(folder: Path) -> str:
    return f"python -m scin evaluate --index {folder}"


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, C) log-odds → (n, C) shares; each row sums to 1."""
    # The functions' own reduce is faster for one row than max and sum.
    powers = np.asarray(scores - np.maximum.reduce(scores, axis=1, keepdims=True), np.float64)
    np.exp(powers, out=powers)
    powers /= np.add.reduce(powers, axis=1, keepdims=True)
    return powers

"""What is done to an embedding before it is compared: centred, and perhaps turned and scaled by its components.

A transform is part of an index, so queries and cases get the same. The last step is always a division by the norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.values import Vector, Vectors

NORMALISE = "l2-normalise"
#: components with less than this share of the largest variance are rounding, not signal: scaled up, they would drown it
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class TransformSpec:
    """Which transform: centring alone (``components`` None), or PCA to at most ``components`` dimensions, each
    multiplied by its variance to the ``power``: 0 only turns, −0.5 whitens, −0.25 goes half the way."""

    components: int | None = None
    power: float = 0.0

    @property
    def name(self) -> str:
        return "centre" if self.components is None else f"pca({self.components}, {self.power:g})"


@dataclass(frozen=True)
class Transform:
    """A fitted transform: (x − mean) @ matrix, then division by the norm. ``matrix`` None leaves x − mean as it is."""

    spec: TransformSpec
    mean: Vector
    matrix: NDArray[np.float32] | None

    @property
    def steps(self) -> tuple[str, ...]:
        """As the manifest names them."""
        return (self.spec.name, NORMALISE)

    def apply(self, vectors: Vectors) -> Vectors:
        """(n, dimension) → (n, components), each row of unit length; a row that equals the mean stays zero."""
        moved = np.asarray(vectors, np.float32) - self.mean
        if self.matrix is not None:
            moved = moved @ self.matrix
        norms = np.linalg.norm(moved, axis=1, keepdims=True)
        return np.asarray(moved / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def fit_transforms(specs: Sequence[TransformSpec], vectors: Vectors) -> list[Transform]:
    """Fit each spec to ``vectors`` (n, dimension). The components are found once, in double precision.

    PCA by eigenvectors of the covariance; components without variance are left out, so fewer may remain than asked.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    fitted = []
    variances, axes = _components(vectors, mean) if any(spec.components for spec in specs) else (None, None)
    for spec in specs:
        matrix = None
        if spec.components is not None and variances is not None and axes is not None:
            kept = min(spec.components, int((variances > _LEAST_VARIANCE * variances[0]).sum()))
            matrix = np.asarray(axes[:, :kept] * variances[:kept] ** spec.power, np.float32)
        fitted.append(Transform(spec, np.asarray(mean, np.float32), matrix))
    return fitted


def _components(vectors: Vectors, mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(variances, axes as columns), the largest variance first."""
    centred = vectors - mean
    variances, axes = np.linalg.eigh(centred.T @ centred / max(1, len(vectors) - 1))
    return variances[::-1], axes[:, ::-1]

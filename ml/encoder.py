"""Photos → embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.backends.base import Backend, run_padded
from ml.errors import BackendError
from ml.preprocess import to_batch
from ml.spec import ModelSpec
from ml.values import RGB, Vectors


class Encoder:
    """An image encoder. ``fingerprint`` identifies its weights and preprocessing; an index records it."""

    def __init__(self, spec: ModelSpec, backend: Backend, fingerprint: str) -> None:
        self.spec = spec
        self.backend = backend
        self.fingerprint = fingerprint
        self.dimension = spec.output_dim

    def embed(self, photos: Sequence[RGB]) -> Vectors:
        """(n, dimension) float32, each row of unit length. Raises BackendError."""
        raw = run_padded(self.backend, [to_batch(photos, self.spec.preprocess)])
        if raw.shape != (len(photos), self.dimension):
            raise BackendError(f"{self.spec.name} gave {raw.shape[1:]} numbers a photo, not {self.dimension}.")
        norms = np.linalg.norm(raw, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or (norms == 0).any():
            raise BackendError(f"{self.spec.name} gave no usable embedding for this photo.")
        return np.asarray(raw / norms, dtype=np.float32)

"""Photos → embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.deadline import Deadline
from ml.errors import BackendError
from ml.models.preprocess import to_batch
from ml.models.runtime import Runtime, run_each
from ml.models.spec import ModelSpec
from ml.values import RGB, Vectors


class Encoder:
    """An image encoder. ``fingerprint`` identifies its weights and preprocessing; an index records it."""

    def __init__(self, spec: ModelSpec, runtime: Runtime, fingerprint: str) -> None:
        self.spec = spec
        self.runtime = runtime
        self.fingerprint = fingerprint
        self.dimension = spec.output_dim

    def embed(self, photos: Sequence[RGB], deadline: Deadline | None = None) -> Vectors:
        """(n, dimension) float32, each row of unit length.

        Raises BackendError, and what ``deadline.check`` does if it is over before all photos have been started.
        """
        inputs = [to_batch(photos, self.spec.preprocess)]
        raw = run_each(self.spec, self.runtime, inputs, "encode", deadline)
        norms = np.linalg.norm(raw, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or (norms == 0).any():
            raise BackendError(f"{self.spec.name} gave no usable embedding for this photo.")
        return np.asarray(raw / norms, dtype=np.float32)

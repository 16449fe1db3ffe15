"""Photos → embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.backends.base import Backend
from ml.deadline import Deadline
from ml.errors import BackendError
from ml.preprocess import to_batch
from ml.runner import UNBATCHED, Batching, Runner
from ml.spec import ModelSpec
from ml.values import RGB, Vectors


class Encoder:
    """An image encoder. ``fingerprint`` identifies its weights and preprocessing; an index records it."""

    def __init__(self, spec: ModelSpec, backend: Backend, fingerprint: str, batching: Batching = UNBATCHED) -> None:
        self.spec = spec
        self.backend = backend
        self.fingerprint = fingerprint
        self.dimension = spec.output_dim
        self._runner = Runner(spec, backend, "encode", batching)

    def warm(self, photo: RGB) -> None:
        """Run every batch size that may come. Raises BackendError."""
        self._runner.warm([to_batch([photo], self.spec.preprocess)])

    def embed(self, photos: Sequence[RGB], deadline: Deadline | None = None) -> Vectors:
        """(n, dimension) float32, each row of unit length.

        Raises BackendError, and what ``deadline.check`` does if it is over before all photos have been started.
        """
        raw = self._runner.run([to_batch(photos, self.spec.preprocess)], deadline)
        norms = np.linalg.norm(raw, axis=1, keepdims=True)
        if not np.isfinite(norms).all() or (norms == 0).any():
            raise BackendError(f"{self.spec.name} gave no usable embedding for this photo.")
        return np.asarray(raw / norms, dtype=np.float32)

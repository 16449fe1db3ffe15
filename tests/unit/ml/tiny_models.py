"""Models of a few numbers, in numpy: everything around a model can be tested with them in no time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml.models.encoder import Encoder
from ml.models.registry import EFFICIENTNET_LITE0
from ml.models.spec import ModelSpec, PreprocessSpec

DIMENSION = 16
ENCODER_SPEC: ModelSpec = replace(
    EFFICIENTNET_LITE0, name="tiny", output_dim=DIMENSION, preprocess=PreprocessSpec(size=(8, 8)), source=None
)


def one_column() -> ModelSpec:
    """A model that answers each row with one number."""
    return replace(ENCODER_SPEC, name="one-column", output_dim=1)


class RecordingRuntime:
    """A runtime that computes ``function`` and remembers the batch sizes that it was given."""

    name, version = "numpy", "1"

    def __init__(self, function: Callable[..., NDArray[np.float32]]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self.batches: list[int] = []

    def run(self, *inputs: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        with self._lock:
            self.batches.append(len(inputs[0]))
        return [self._function(*inputs)]


def tiny_encoder(fingerprint: str = "f" * 64) -> Encoder:
    """A real Encoder over a fixed random projection of the photo at 8 × 8 pixels to 16 dimensions."""
    projection = np.random.default_rng(7).normal(size=(8 * 8 * 3, DIMENSION)).astype(np.float32)
    runtime = RecordingRuntime(lambda batch: (batch.reshape(len(batch), -1) - 128) @ projection)
    return Encoder(ENCODER_SPEC, runtime, fingerprint)

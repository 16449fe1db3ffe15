"""LiteRT (TensorFlow Lite) models: numpy in, numpy out. The only importer of ai_edge_litert."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.errors import ArtifactError, BackendError


class LiteRTModel:
    """A ``.tflite`` model with one input, run on the CPU; safe to share between threads.

    An interpreter owns its input and output buffers, so a run is one critical section: callers take turns.
    """

    def __init__(self, model: Path | str | bytes) -> None:
        """``model``: a file's path, or its bytes. Each run has one thread.

        Raises ArtifactError where the file is missing, is no LiteRT model, or has not exactly one input.
        """
        # Late, so that importing this module costs nothing to a service that shows no faces.
        from ai_edge_litert.interpreter import Interpreter

        self._lock = threading.Lock()
        self._name = "model bytes" if isinstance(model, bytes) else Path(model).name
        try:
            self._interpreter = Interpreter(**_source(model), num_threads=1)
            self._interpreter.allocate_tensors()
            inputs = self._interpreter.get_input_details()
            self._outputs = self._interpreter.get_output_details()
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(
                f"{self._name} cannot be loaded as a LiteRT model; fetch it again", file=self._name
            ) from error
        if len(inputs) != 1:
            raise ArtifactError(f"{self._name} has {len(inputs)} inputs, expected 1", file=self._name)
        self._input = inputs[0]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The input's fixed shape, the batch first."""
        return tuple(int(size) for size in self._input["shape"])

    def run(self, array: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        """Run once. ``array`` must have ``input_shape`` and the model's element type.

        Returns the outputs in the model's own order, as copies that later runs leave alone.
        Raises BackendError where the input does not fit or the engine fails.
        """
        expected = np.dtype(self._input["dtype"])
        if array.shape != self.input_shape or array.dtype != expected:
            raise BackendError(
                f"{self._name} takes {expected.name} {self.input_shape}, got {array.dtype.name} {array.shape}"
            )
        try:
            with self._lock:
                self._interpreter.set_tensor(self._input["index"], array)
                self._interpreter.invoke()
                return [self._interpreter.get_tensor(output["index"]) for output in self._outputs]
        except (ValueError, RuntimeError) as error:
            raise BackendError(f"{self._name} failed to run; see the log for the cause") from error


def _source(model: Path | str | bytes) -> dict[str, bytes | str]:
    """The interpreter's argument: of a file it maps the weights, which processes then share."""
    if isinstance(model, bytes):
        return {"model_content": model}
    if not Path(model).is_file():
        raise ArtifactError(f"the model file {Path(model).name} cannot be read; fetch it again")
    return {"model_path": str(model)}

"""LiteRT (TensorFlow Lite): runs published ``.tflite`` models. The only importer of ai_edge_litert."""

from __future__ import annotations

import threading
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ml.errors import ArtifactError
from ml.models.runtime import Array, Output, RuntimeOptions
from ml.models.spec import ModelSpec


class LiteRTModel:
    """A ``.tflite`` model, run on one thread of the CPU. Processes share its weights: the file is mapped.

    An interpreter owns its input and output buffers, so callers take turns.
    """

    name = "litert"

    def __init__(self, path: Path) -> None:
        """Raises ArtifactError where the file is missing or is no LiteRT model."""
        # Late, so that importing this module costs nothing to a service that runs no such model.
        from ai_edge_litert.interpreter import Interpreter

        self.version = version("ai-edge-litert")
        self._lock = threading.Lock()
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(f"{path.name} cannot be loaded by LiteRT {self.version}. Fetch it again.") from error
        self._inputs = [given["index"] for given in self._interpreter.get_input_details()]
        self._outputs = [given["index"] for given in self._interpreter.get_output_details()]

    def run(self, *inputs: Array) -> list[Output]:
        """Copies, which later runs leave alone. Each input has the model's fixed shape and type."""
        with self._lock:
            for index, array in zip(self._inputs, inputs, strict=True):
                self._interpreter.set_tensor(index, array)
            self._interpreter.invoke()
            return [np.asarray(self._interpreter.get_tensor(index), np.float32) for index in self._outputs]


def load(spec: ModelSpec, served: Path, options: RuntimeOptions) -> LiteRTModel:
    """See ``ml.models.runtime.Framework``."""
    return LiteRTModel(served)

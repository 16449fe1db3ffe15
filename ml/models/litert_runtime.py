"""Runs published ``.tflite`` models with LiteRT (TensorFlow Lite). The only importer of ai_edge_litert."""

from __future__ import annotations

import threading
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ml.errors import ArtifactError
from ml.models.runtime import Array, Output, RuntimeOptions
from ml.models.spec import ModelSpec


class LiteRTModel:
    """A ``.tflite`` model on one thread of the CPU. The file is mapped, so processes share its weights.

    A lock lets one caller run at a time, because the interpreter owns its input and output buffers.
    """

    name = "litert"

    def __init__(self, path: Path) -> None:
        """Raises ArtifactError if the file is missing or is not a LiteRT model."""
        # Imported here, because this module is also imported by services that run no such model.
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
        """Copies of the outputs. Each input must have the model's fixed shape and type."""
        with self._lock:
            for index, array in zip(self._inputs, inputs, strict=True):
                self._interpreter.set_tensor(index, array)
            self._interpreter.invoke()
            return [np.asarray(self._interpreter.get_tensor(index), np.float32) for index in self._outputs]


def load(spec: ModelSpec, served: Path, options: RuntimeOptions) -> LiteRTModel:
    """See ``ml.models.runtime.Framework``."""
    return LiteRTModel(served)

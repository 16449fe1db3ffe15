"""A model's files → a backend that runs them, natively or compiled. Frameworks are imported only when one is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml.engines.choice import Choice
from ml.models.runtime import Backend
from ml.models.spec import ModelSpec


@dataclass(frozen=True)
class Execution:
    """How models run: ``threads`` compute one run, ``callers`` runs may go on side by side; natively on a GPU with
    ``gpu``; ``mmap``: compiled weights are shared between processes, not copied."""

    threads: int = 1
    callers: int = 2
    gpu: bool = False
    mmap: bool = True


#: runtime → the names of a model's inputs, in the order of ``Backend.run``'s arguments
INPUTS: Mapping[str, tuple[str, ...]] = {
    "torch-export": ("images",),
    "saved-model": ("image", "metadata"),
    "saved-model-example": ("inputs",),
}


def open_backend(spec: ModelSpec, served: Path, choice: Choice, execution: Execution) -> Backend:
    """``served`` is what the native engine loads. Raises ArtifactError."""
    if choice.folder is None:
        return _open_native(spec, served, execution)
    inputs = INPUTS[spec.runtime]
    if choice.engine == "onnxruntime":
        from ml.models.onnxruntime_runtime import OnnxRuntimeBackend

        return OnnxRuntimeBackend(choice.folder, inputs=inputs, threads=execution.threads, mmap=execution.mmap)
    from ml.models.openvino_backend import OpenVinoBackend

    return OpenVinoBackend(
        choice.folder, inputs=inputs, threads=execution.threads, callers=execution.callers, mmap=execution.mmap
    )


def configure_framework(spec: ModelSpec, execution: Execution) -> None:
    """Size the pools of the framework that runs the model natively; must come before its first operation."""
    if spec.framework == "tensorflow":
        from ml.models.tensorflow_runtime import configure

        configure(execution.threads, execution.callers, execution.gpu)


def _open_native(spec: ModelSpec, served: Path, execution: Execution) -> Backend:
    if spec.runtime == "torch-export":
        from ml.models.torch_runtime import TorchExportBackend

        return TorchExportBackend(served, threads=execution.threads, gpu=execution.gpu)
    from ml.models.tensorflow_runtime import ExampleModelBackend, SavedModelBackend

    if spec.runtime == "saved-model":
        return SavedModelBackend(served, inputs=INPUTS[spec.runtime], output="probabilities")
    return ExampleModelBackend(served, inputs=INPUTS[spec.runtime], output="embedding")

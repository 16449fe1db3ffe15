"""What runs a model: numpy in, numpy out. A framework is imported only when one of its models is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.deadline import Deadline
from ml.errors import BackendError
from ml.models.spec import ModelSpec
from ml.values import RGB

Rows = Sequence[NDArray[np.generic]]  #: a model's inputs; they share their first axis, which counts the photos


class Runtime(Protocol):
    """One loaded model. ``run`` may be called from several threads at once. ``name`` and ``version`` are those of the
    library that runs it."""

    name: str
    version: str

    def run(self, *inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        """``inputs`` in the order of the spec's ``input_names``; a row of output for each photo. Raises
        BackendError."""
        ...


@dataclass(frozen=True)
class Execution:
    """How models run: ``threads`` compute one run, ``callers`` runs may go on side by side; on a GPU with ``gpu``.

    ``mmap``: processes share the memory of compiled weights. ``sizes_pools``: thread pools that belong to the whole
    process and must be sized before their first use are sized for this; a process does that once.
    """

    threads: int = 1
    callers: int = 2
    gpu: bool = False
    mmap: bool = True
    sizes_pools: bool = False


class Framework(Protocol):
    """What the file of a framework offers. It is the only one that imports it."""

    def open_served(self, spec: ModelSpec, served: Path, execution: Execution) -> Runtime:
        """The model in ``served``, as ``export`` wrote it or as it was published. Raises ArtifactError."""
        ...

    def export(self, spec: ModelSpec, folder: Path, image: RGB) -> NDArray[np.float32]:
        """Make what is served from the files in ``folder``/source, as the spec's recipe says. Returns the output of
        the model before it was exported, for ``image``."""
        ...

    def convert(self, spec: ModelSpec, served: Path, target: Path) -> None:
        """Write what is ``served`` as the ONNX file ``target``, which holds on every machine."""
        ...


def framework_of(spec: ModelSpec) -> Framework:
    """The framework that the model was published for. Imports it."""
    if spec.framework == "pytorch":
        from ml.models import torch_runtime

        return torch_runtime
    if spec.framework == "tensorflow":
        from ml.models import tensorflow_runtime

        return tensorflow_runtime
    raise ValueError(f"no runtime is known for {spec.framework}")


def open_runtime(spec: ModelSpec, served: Path, compiled: Path | None, execution: Execution) -> Runtime:
    """``compiled``: the folder of the model's compiled files; None: its own framework runs what is ``served``.

    Raises ArtifactError.
    """
    if compiled is None:
        return framework_of(spec).open_served(spec, served, execution)
    from ml.models.onnxruntime_runtime import OnnxRuntime

    return OnnxRuntime(compiled, inputs=spec.input_names, threads=execution.threads, mmap=execution.mmap)


def run_each(
    spec: ModelSpec, runtime: Runtime, inputs: Rows, stage: str, deadline: Deadline | None = None
) -> NDArray[np.float32]:
    """(n, output_dim), a row for each of the n photos in ``inputs``. They run one after another: batches gain nothing
    on a processor.

    Raises BackendError, and what ``deadline.check`` does, with ``stage``, before a photo that would start too late.
    """
    outputs = []
    for row in range(len(inputs[0])):
        if deadline is not None:
            deadline.check(stage)
        outputs.append(_run(spec, runtime, [array[row : row + 1] for array in inputs]))
    return np.concatenate(outputs)


def _run(spec: ModelSpec, runtime: Runtime, inputs: Rows) -> NDArray[np.float32]:
    """One run. Native code may raise what is no Exception, such as a library's SystemExit or panic: it becomes a
    BackendError, so that it ends one request and no thread."""
    try:
        output = runtime.run(*inputs)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise BackendError(f"{spec.name} failed on this photo.") from error
    if output.shape != (1, spec.output_dim):
        found = " × ".join(map(str, output.shape))
        raise BackendError(f"{spec.name} gave {found} numbers, not 1 × {spec.output_dim}.")
    return output

"""The interface of the libraries that run models. Inputs and outputs are NumPy arrays. A framework is imported only
when one of its models is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ml.deadline import Deadline
from ml.errors import ModelError
from ml.models.spec import ModelSpec
from ml.values import RGB

Array = NDArray[np.generic]
Output = NDArray[np.float32]

#: framework → the module in this package that implements ``Framework``; no other module imports the framework
_FRAMEWORKS = {"pytorch": "torch_runtime", "tensorflow": "tensorflow_runtime", "litert": "litert_runtime"}


class Runtime(Protocol):
    """One loaded model. ``name`` and ``version`` are those of the library that runs it."""

    name: str
    version: str

    def run(self, *inputs: Array) -> list[Output]:
        """The model's outputs for ``inputs``, which are in the order of the spec's ``input_names``. The first axis of
        each is the batch. Safe to call from several threads. Raises whatever the library raises."""
        ...


@dataclass(frozen=True)
class RuntimeOptions:
    """How a model runs.

    ``threads``: threads of one run. ``callers``: concurrent runs. ``gpu``: run on the GPU. ``mmap``: map
    compiled weights, so that processes share their memory. ``sizes_pools``: also size the thread pools of the whole
    process, which is possible only once, before the first run.
    """

    threads: int = 1
    callers: int = 2
    gpu: bool = False
    mmap: bool = True
    sizes_pools: bool = False


class Framework(Protocol):
    """The functions of a framework's module. LiteRT's has only ``load``, because its models are served as published."""

    def load(self, spec: ModelSpec, served: Path, options: RuntimeOptions) -> Runtime:
        """Load the model from ``served``, which is published or was written by ``export``. Raises ArtifactError."""
        ...

    def export(self, spec: ModelSpec, folder: Path, image: RGB) -> Output:
        """Make the served files from the files in ``folder``/source, by the spec's recipe. Returns the output
        (output_dim,) of the original model for ``image`` (H, W, 3)."""
        ...

    def convert(self, spec: ModelSpec, served: Path, target: Path) -> None:
        """Convert the ``served`` model to the ONNX file ``target``, which does not depend on the machine."""
        ...


def framework_of(spec: ModelSpec) -> Framework:
    """The module of the model's framework. Imports the framework."""
    return cast(Framework, import_module(f"ml.models.{_FRAMEWORKS[spec.framework]}"))


def load_runtime(spec: ModelSpec, served: Path, compiled: Path | None, options: RuntimeOptions) -> Runtime:
    """Load the model with ONNX Runtime from the folder ``compiled``, or, if that is None, with its own framework from
    ``served``. Raises ArtifactError."""
    if compiled is None:
        return framework_of(spec).load(spec, served, options)
    from ml.models.onnxruntime_runtime import OnnxRuntime

    return OnnxRuntime(compiled, inputs=spec.input_names, threads=options.threads, mmap=options.mmap)


def run(name: str, runtime: Runtime, *inputs: Array) -> list[Output]:
    """Run the model called ``name`` once. Raises ModelError.

    Native code may raise a BaseException, such as SystemExit or a panic. It becomes a ModelError too, so that it ends
    one request and not the thread.
    """
    try:
        return runtime.run(*inputs)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ModelError(f"{name} failed on this photo.") from error


def run_each(
    spec: ModelSpec, runtime: Runtime, inputs: Sequence[Array], stage: str, deadline: Deadline | None = None
) -> Output:
    """The first output (n, output_dim), with a row for each of n photos. The photos run one after another, because
    batches save no time on a CPU.

    Raises ModelError. Raises DeadlineExceededError, which names ``stage``, if the time is over before a photo.
    """
    outputs = []
    for row in range(len(inputs[0])):
        if deadline is not None:
            deadline.check(stage)
        output = run(spec.name, runtime, *(array[row : row + 1] for array in inputs))[0]
        if output.shape != (1, spec.output_dim):
            found = " × ".join(map(str, output.shape))
            raise ModelError(f"{spec.name} gave {found} numbers, not 1 × {spec.output_dim}.")
        outputs.append(output)
    return np.concatenate(outputs)

"""What runs a model: numpy in, numpy out. A framework is imported only when one of its models is loaded."""

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

#: framework → the module of this package that implements ``Framework`` for it, the only one that imports it
_FRAMEWORKS = {"pytorch": "torch_runtime", "tensorflow": "tensorflow_runtime", "litert": "litert_runtime"}


class Runtime(Protocol):
    """One loaded model. ``name`` and ``version`` are those of the library that runs it."""

    name: str
    version: str

    def run(self, *inputs: Array) -> list[Output]:
        """The model's outputs. ``inputs`` are in the order of the spec's ``input_names``; the first axis of each counts
        the photos. May be called from several threads at once. Raises whatever its library raises."""
        ...


@dataclass(frozen=True)
class RuntimeOptions:
    """``threads`` compute one run, ``callers`` runs may go on side by side, on a GPU with ``gpu``.

    ``mmap``: processes share the memory of compiled weights. ``sizes_pools``: also size the thread pools that belong to
    the whole process. That is done once in a process, before the first run.
    """

    threads: int = 1
    callers: int = 2
    gpu: bool = False
    mmap: bool = True
    sizes_pools: bool = False


class Framework(Protocol):
    """What the module of a framework offers. LiteRT's has ``load`` alone: its models are served as published."""

    def load(self, spec: ModelSpec, served: Path, options: RuntimeOptions) -> Runtime:
        """Load what ``export`` wrote, or the published files, from ``served``. Raises ArtifactError."""
        ...

    def export(self, spec: ModelSpec, folder: Path, image: RGB) -> Output:
        """Make the served files from those in ``folder``/source, as the spec's recipe says. Returns the output for
        ``image`` of the model before its export."""
        ...

    def convert(self, spec: ModelSpec, served: Path, target: Path) -> None:
        """Write the ``served`` model as the ONNX file ``target``, which does not depend on the machine."""
        ...


def framework_of(spec: ModelSpec) -> Framework:
    """The framework that the model was published for. Imports it."""
    return cast(Framework, import_module(f"ml.models.{_FRAMEWORKS[spec.framework]}"))


def load_runtime(spec: ModelSpec, served: Path, compiled: Path | None, options: RuntimeOptions) -> Runtime:
    """ONNX Runtime with the files in the folder ``compiled``; without one, the model's framework with ``served``.

    Raises ArtifactError.
    """
    if compiled is None:
        return framework_of(spec).load(spec, served, options)
    from ml.models.onnxruntime_runtime import OnnxRuntime

    return OnnxRuntime(compiled, inputs=spec.input_names, threads=options.threads, mmap=options.mmap)


def run(name: str, runtime: Runtime, *inputs: Array) -> list[Output]:
    """One run of the model called ``name``. Raises ModelError.

    Native code may raise what is no Exception, such as a library's SystemExit or panic. That becomes a ModelError too,
    so that it ends one request and no thread.
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
    """The first output: (n, output_dim), a row for each of the n photos. They run one after another, because a batch
    saves no time on a CPU.

    Raises ModelError, and before each photo what ``deadline.check(stage)`` raises.
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

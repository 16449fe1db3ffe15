"""One step of preparing a model, in a process of its own: ``python -m ml.engines.child STEP … RESULT``.

Frameworks, converters and engines share a process here that no service ever runs in: converters print, change global
state, and two of these libraries were once seen to crash together when the interpreter ended. So the answer is
written into the file RESULT, and the process ends without its farewell.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ml.engines.agreement import compare
from ml.engines.choice import Choice
from ml.engines.host import installed_version
from ml.engines.opening import INPUTS, Execution, configure_framework, open_backend
from ml.engines.record import NATIVE, EngineResult
from ml.engines.timing import take_turns
from ml.models.registry import find
from ml.models.spec import ModelSpec


def main(arguments: list[str]) -> int:
    """``convert MODEL SERVED ONNX`` or ``trial MODEL SERVED ONNX ENGINE FOLDER THREADS``; the last argument is where
    the result goes, as JSON."""
    step, name, served, onnx, *rest, result = arguments
    steps: dict[str, Callable[[], object]] = {
        "convert": lambda: convert(find(name), Path(served), Path(onnx)),
        "trial": lambda: asdict(
            trial(find(name), Path(served), Path(onnx), Choice(rest[0], Path(rest[1])), int(rest[2]))
        ),
    }
    answer = steps[step]()
    Path(result).write_text(json.dumps(answer))
    return 0


def convert(spec: ModelSpec, served: Path, onnx: Path) -> None:
    """Write what is served natively as an ONNX file, which holds on every machine."""
    if spec.runtime == "torch-export":
        from ml.models import torch_to_onnx as converter
    else:
        from ml.models import tensorflow_to_onnx as converter  # type: ignore[no-redef]
    converter.convert(served, onnx, inputs=INPUTS[spec.runtime])


def trial(spec: ModelSpec, served: Path, onnx: Path, compiled: Choice, threads: int) -> EngineResult:
    """Compile the ONNX file as ``compiled`` says, compare it with the native engine, and time both."""
    _compile(onnx, compiled)
    execution = Execution(threads=threads, callers=1)
    configure_framework(spec, execution)
    native = open_backend(spec, served, Choice(NATIVE), execution)
    engine = open_backend(spec, served, compiled, execution)
    differences, problem = compare(spec, native, engine)
    times = {} if problem else take_turns(spec, {NATIVE: native, compiled.engine: engine})
    return EngineResult(
        version=str(installed_version(compiled.engine)),
        problem=problem,
        differences=differences,
        ms_per_photo=times.get(compiled.engine, {}),
        native_ms_per_photo=times.get(NATIVE, {}),
    )


def _compile(onnx: Path, target: Choice) -> None:
    if target.folder is None:
        raise ValueError("a compiled engine has a folder")
    if target.engine == "onnxruntime":
        from ml.models.onnxruntime_runtime import compile_for_this_host

        compile_for_this_host(onnx, target.folder)
        return
    from ml.models.openvino_backend import convert as to_openvino

    to_openvino(onnx, target.folder)


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception:  # noqa: BLE001 - told to the parent, as the last line of stderr
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

"""Runs models with ONNX Runtime on the CPU, from files that it has optimised for this processor.

The only importer of onnxruntime. Since 1.29 its published builds send telemetry by default, on Linux too: importing it
writes an identifier into the user's cache folder, and a thread sends events. The variable below is the documented
opt-out. It must be set before the import.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ml.errors import ArtifactError
from ml.models.runtime import Array, Output

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

#: the optimised graph, and its weights in a file of their own, which can be mapped into memory
MODEL_FILE = "model.onnx"
WEIGHTS_FILE = "model.data"
#: graph and weights in one file, not optimised; loaded if the weights are not mapped
PLAIN_FILE = "plain.onnx"


class OnnxRuntime:
    """A model that ``compile_for_this_processor`` wrote. ``inputs``: names, in the order of ``run``'s arguments.

    With ``mmap`` all processes share the mapped weights. Without it each process loads and optimises the model itself,
    which takes more memory; the answers are the same.
    """

    name = "onnxruntime"
    version = str(ort.__version__)

    def __init__(self, folder: Path, *, inputs: tuple[str, ...], threads: int, mmap: bool = True) -> None:
        self._inputs = inputs
        options = session_options(threads)
        if mmap:
            # The file is already optimised. Optimising it again would make private copies of weights.
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            self._session = open_session(folder / (MODEL_FILE if mmap else PLAIN_FILE), options)
        except Exception as error:
            raise ArtifactError(
                f"{folder} cannot be loaded by ONNX Runtime {self.version}. Prepare it again."
            ) from error
        found = {given.name for given in self._session.get_inputs()}
        if found != set(inputs):
            raise ArtifactError(f"{folder} takes {sorted(found)}; {sorted(inputs)} was expected. Prepare it again.")

    def run(self, *inputs: Array) -> list[Output]:
        outputs: list[Output] = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
        return outputs


def compile_for_this_processor(source: Path, target: Path) -> None:
    """Write two versions of the ONNX file ``source`` into the folder ``target``: optimised for this processor, as graph
    and weights, and unchanged."""
    shutil.copyfile(source, target / PLAIN_FILE)
    options = session_options(threads=1)
    options.optimized_model_filepath = str(target / MODEL_FILE)
    options.log_severity_level = 3  # otherwise it warns that the result is for this processor only
    for name, value in {
        "optimized_model_external_initializers_file_name": WEIGHTS_FILE,
        "optimized_model_external_initializers_min_size_in_bytes": "1024",
        # Also store the weights that kernels rearrange. Otherwise each process makes its own copy of them.
        "save_external_prepacked_constant_initializers": "1",
    }.items():
        options.add_session_config_entry(f"session.{name}", value)
    open_session(source, options)


def session_options(threads: int) -> ort.SessionOptions:
    """The options of all sessions. Threads wait without spinning, so that others can use the cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it would allocate one large block for each run
    options.enable_cpu_mem_arena = False  # an arena grows to the largest batch and never shrinks
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def open_session(path: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    # The fallback would only print a message and try the same provider again.
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0)

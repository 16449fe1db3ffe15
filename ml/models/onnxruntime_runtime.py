"""ONNX Runtime: runs models on the CPU, from files that it has optimised for this processor.

The only importer of onnxruntime. From 1.29 on its published builds report to their maker by default, on Linux too:
importing it writes an identifier into the user's cache folder, and a thread sends events. The variable below is the
documented full opt-out. It must be set before the library is loaded.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ml.errors import ArtifactError
from ml.models.runtime import Array, Output

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

#: the graph; the weights lie beside it, so that they can be mapped into memory
MODEL_FILE = "model.onnx"
WEIGHTS_FILE = "model.data"
#: graph and weights in one file, as converted: loaded where the weights are not to be mapped
PLAIN_FILE = "plain.onnx"


class OnnxRuntime:
    """A model that ``compile_for_this_processor`` wrote. ``inputs``: names, in the order of ``run``'s arguments.

    With ``mmap`` the weights are the file's own pages, which all processes share. Without it each process loads and
    optimises the model by itself: the answers are the same, but it takes more memory.
    """

    name = "onnxruntime"
    version = str(ort.__version__)

    def __init__(self, folder: Path, *, inputs: tuple[str, ...], threads: int, mmap: bool = True) -> None:
        self._inputs = inputs
        options = session_options(threads)
        if mmap:
            # The file is optimised already. Doing it again would make private copies of weights.
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
    """Write the ONNX file ``source`` into the folder ``target`` twice: optimised for this processor, as graph and
    weights, and unchanged."""
    shutil.copyfile(source, target / PLAIN_FILE)
    options = session_options(threads=1)
    options.optimized_model_filepath = str(target / MODEL_FILE)
    options.log_severity_level = 3  # otherwise it warns that the result is for this processor only
    for name, value in {
        "optimized_model_external_initializers_file_name": WEIGHTS_FILE,
        "optimized_model_external_initializers_min_size_in_bytes": "1024",
        # Also store what kernels rearrange for themselves: otherwise each process makes its own copy.
        "save_external_prepacked_constant_initializers": "1",
    }.items():
        options.add_session_config_entry(f"session.{name}", value)
    open_session(source, options)


def session_options(threads: int) -> ort.SessionOptions:
    """Options that all sessions share. Threads wait without spinning, so that other threads get the cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it would allocate the memory of each run anew, in one large piece
    options.enable_cpu_mem_arena = False  # an arena grows to the largest batch and never shrinks
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def open_session(path: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    # Without the fallback: it would print, and try the same again.
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0)

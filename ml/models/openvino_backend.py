"""Runs models with OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from ml.errors import ArtifactError, BackendError
from ml.models.openvino_import import openvino

#: OpenVINO's own form; the weights lie beside it in a file of their own
MODEL_FILE = "model.xml"


class OpenVinoBackend:
    """A model that ``convert`` wrote. ``inputs`` names its inputs in the order of ``run``'s arguments.

    ``callers`` runs go on side by side, each on ``threads`` threads; more callers wait for each other. With ``mmap``
    the file's pages are read where they are; what OpenVINO rearranges of them is each process's own all the same.
    """

    framework = "openvino"
    version = str(openvino.get_version()).partition("-")[0]

    def __init__(
        self, folder: Path, *, inputs: tuple[str, ...], threads: int, callers: int = 1, mmap: bool = True
    ) -> None:
        self._inputs = inputs
        core = openvino.Core()
        core.set_property({"ENABLE_MMAP": mmap})
        try:
            model = core.compile_model(folder / MODEL_FILE, "CPU", _properties(threads, callers))
        except Exception as error:
            raise ArtifactError(f"{folder} cannot be loaded by OpenVINO {self.version}. Prepare it again.") from error
        found = {name for given in model.inputs for name in given.names}
        if not set(inputs) <= found or len(model.inputs) != len(inputs):
            raise ArtifactError(f"{folder} takes {sorted(found)}; {sorted(inputs)} was expected. Prepare it again.")
        # A request holds the memory of one run, so there are no more of them than runs.
        self._requests: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(callers):
            self._requests.put(model.create_infer_request())

    def run(self, *inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        with self._request() as request:
            try:
                request.infer(dict(zip(self._inputs, inputs, strict=True)), share_inputs=True)
            except Exception as error:  # the library raises RuntimeError, and pybind11 others
                raise BackendError("OpenVINO failed on this photo.") from error
            return np.array(request.get_output_tensor().data, dtype=np.float32)

    @contextmanager
    def _request(self) -> Iterator[openvino.InferRequest]:
        request = self._requests.get()
        try:
            yield request
        finally:
            self._requests.put(request)


def convert(source: Path, target: Path) -> None:
    """Write the ONNX file ``source`` in OpenVINO's form into the folder ``target``, with weights of full precision."""
    model = openvino.Core().read_model(source)
    openvino.save_model(model, target / MODEL_FILE, compress_to_fp16=False)


def _properties(threads: int, callers: int) -> dict[str, object]:
    return {
        "INFERENCE_NUM_THREADS": threads * callers,
        "NUM_STREAMS": callers,
        # On processors that can, OpenVINO would compute in bfloat16 by itself, and answer otherwise.
        "INFERENCE_PRECISION_HINT": "f32",
    }

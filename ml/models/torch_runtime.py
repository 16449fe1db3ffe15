"""Runs ``torch.export`` programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ml.errors import ArtifactError, BackendError


class TorchExportBackend:
    """A ``.pt2`` program with one image input and one vector output a row.

    ``threads`` sizes torch's intra-op pool, which the whole process shares.
    """

    framework = "pytorch"
    version = str(torch.__version__)

    def __init__(self, path: Path, *, threads: int, gpu: bool = False) -> None:
        torch.set_num_threads(threads)
        self._device = torch.device("cuda" if gpu else "cpu")
        # Left alone, a GPU rounds what it multiplies to 10 bits. Vectors then are 2e-5 away from those that a processor
        # computes, as it did for the index, instead of 2e-12, and come no sooner.
        torch.backends.cudnn.allow_tf32 = False
        try:
            program = torch.export.load(path)
            self._module = program.module().to(self._device)
        except Exception as error:
            raise ArtifactError(f"{path} cannot be loaded by PyTorch {self.version}. Fetch it again.") from error

    def run(self, *inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        (images,) = inputs
        try:
            with torch.inference_mode():
                output = self._module(torch.from_numpy(images).to(self._device))
                return np.asarray(output.float().cpu().numpy(), dtype=np.float32)
        except (RuntimeError, AssertionError) as error:  # an input that the program was not exported for
            raise BackendError("The PyTorch model failed on this photo.") from error

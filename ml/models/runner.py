"""Runs a model's inputs photo by photo, and checks its outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml.deadline import Deadline
from ml.errors import BackendError
from ml.models.runtime import Backend
from ml.models.spec import ModelSpec

Rows = Sequence[NDArray[np.generic]]  #: a model's inputs; they share their first axis, which counts the photos


def run_each(
    spec: ModelSpec, backend: Backend, inputs: Rows, stage: str, deadline: Deadline | None = None
) -> NDArray[np.float32]:
    """(n, output_dim), a row for each of the n photos in ``inputs``. They run one after another: batches gain nothing
    on a processor.

    Raises BackendError, and what ``deadline.check`` does, with ``stage``, before a photo that would start too late.
    """
    outputs = []
    for row in range(len(inputs[0])):
        if deadline is not None:
            deadline.check(stage)
        outputs.append(_run(spec, backend, [array[row : row + 1] for array in inputs]))
    return np.concatenate(outputs)


def _run(spec: ModelSpec, backend: Backend, inputs: Rows) -> NDArray[np.float32]:
    """One run. Native code may raise what is no Exception, such as a library's SystemExit or panic: it becomes a
    BackendError, so that it ends one request and no thread."""
    try:
        output = backend.run(*inputs)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise BackendError(f"{spec.name} failed on this photo.") from error
    if output.shape != (1, spec.output_dim):
        found = " × ".join(map(str, output.shape))
        raise BackendError(f"{spec.name} gave {found} numbers, not 1 × {spec.output_dim}.")
    return output

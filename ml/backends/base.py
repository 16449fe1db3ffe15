"""What a model looks like from outside its framework: numpy in, numpy out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

#: the only batch sizes that are ever run: frameworks plan memory per shape, and a changing shape makes it grow
BATCH_SIZES = (1, 2, 4, 8)


class Backend(Protocol):
    """One loaded model. ``run`` may be called from several threads at once."""

    framework: str
    version: str

    def run(self, *inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        """``inputs`` share their first axis, whose length is one of BATCH_SIZES. Raises BackendError."""
        ...


def run_padded(backend: Backend, inputs: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
    """Run any number of rows in batches of BATCH_SIZES, filling the last one up with copies of its last row."""
    rows, done = len(inputs[0]), 0
    outputs = []
    while done < rows:
        size = min(rows - done, BATCH_SIZES[-1])
        padded = next(allowed for allowed in BATCH_SIZES if allowed >= size)
        chunk = [_pad(array[done : done + size], padded) for array in inputs]
        outputs.append(backend.run(*chunk)[:size])
        done += size
    return np.concatenate(outputs)


def _pad(array: NDArray[np.generic], length: int) -> NDArray[np.generic]:
    missing = length - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array

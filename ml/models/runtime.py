"""What a model looks like from outside its framework: numpy in, numpy out."""

from __future__ import annotations

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

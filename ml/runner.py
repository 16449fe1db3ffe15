"""A model's inputs → its checked outputs: a backend, behind a batcher where batching gains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.backends.base import BATCH_SIZES, Backend
from ml.batcher import Batcher, Rows
from ml.deadline import Deadline
from ml.errors import BackendError
from ml.spec import ModelSpec

#: A batch must take this many times less for each photo than a photo alone: two measurements of the same can differ by
#: a tenth, and photos that share a batch wait for each other.
LEAST_GAIN = 1.1


@dataclass(frozen=True)
class Batching:
    """``largest``: most photos in a batch, one of BATCH_SIZES; 1: no batching; None: whatever gains.

    ``side_by_side``: batches of one model that run at once. ``on_batch`` is told a model's name and the size of each
    batch, and must not raise.
    """

    largest: int | None = 1
    side_by_side: int = 1
    on_batch: Callable[[str, int], None] = lambda model, size: None

    def settled(self, ms_per_photo: Mapping[int, float], *, gpu: bool) -> Batching:
        """The same, with "whatever gains" decided: by what was measured (see largest_gaining_batch), 8 on a GPU."""
        if self.largest is not None:
            return self
        largest = BATCH_SIZES[-1] if gpu else largest_gaining_batch(ms_per_photo, LEAST_GAIN)
        return replace(self, largest=largest)


UNBATCHED = Batching()
MEASURED = Batching(largest=None)


def largest_gaining_batch(ms_per_photo: Mapping[int, float], least_gain: float) -> int:
    """The largest batch size that gains, as all smaller ones must: its time for each photo is at most that of a photo
    alone divided by ``least_gain``.

    ``ms_per_photo``: batch size → milliseconds of a run divided by its size. Smaller sizes count because a batcher
    runs them too, and because a gain that only a large batch shows is a disturbed measurement. 1 where nothing gains
    or is known.
    """
    alone, largest = ms_per_photo.get(1, 0.0), 1
    for size in BATCH_SIZES[1:]:
        if size not in ms_per_photo or not ms_per_photo[size] * least_gain <= alone:
            break
        largest = size
    return largest


class Runner:
    """Runs one model. Safe to use from several threads."""

    def __init__(self, spec: ModelSpec, backend: Backend, stage: str, batching: Batching) -> None:
        """``stage`` is what a deadline's message names. Raises ValueError if ``batching`` is not settled."""
        if batching.largest not in BATCH_SIZES:
            raise ValueError(f"a batch cannot hold {batching.largest} photos")
        self._spec = spec
        self._backend = backend
        self._stage = stage
        self._sizes = tuple(size for size in BATCH_SIZES if size <= batching.largest)
        self._batcher = None
        if batching.largest > 1:
            self._batcher = Batcher(
                self._compute,
                stage=stage,
                sizes=self._sizes,
                side_by_side=batching.side_by_side,
                on_batch=lambda size: batching.on_batch(spec.name, size),
            )

    def run(self, inputs: Rows, deadline: Deadline | None = None) -> NDArray[np.float32]:
        """(n, output_dim), a row for each of the n rows of ``inputs``.

        Raises BackendError, and what ``deadline.check`` does: rows that have not been started by then never are.
        """
        if self._batcher is not None:
            return self._batcher.run(inputs, deadline)
        return np.concatenate([self._alone(inputs, row, deadline) for row in range(len(inputs[0]))])

    def warm(self, inputs: Rows) -> None:
        """Run every batch size that may come, filled with the first row of ``inputs``."""
        for size in self._sizes:
            self._compute([np.repeat(array[:1], size, axis=0) for array in inputs])

    def _alone(self, inputs: Rows, row: int, deadline: Deadline | None) -> NDArray[np.float32]:
        if deadline is not None:
            deadline.check(self._stage)
        return self._compute([array[row : row + 1] for array in inputs])

    def _compute(self, inputs: Rows) -> NDArray[np.float32]:
        """One run. Native code may throw what is no Exception (the SystemExit or the panic of a library): it becomes
        a BackendError, so that it ends one request and no thread."""
        try:
            outputs = self._backend.run(*inputs)
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise BackendError(f"{self._spec.name} failed on this photo.") from error
        expected = (len(inputs[0]), self._spec.output_dim)
        if outputs.shape != expected:
            raise BackendError(f"{self._spec.name} gave {_times(outputs.shape)} numbers, not {_times(expected)}.")
        return outputs


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))

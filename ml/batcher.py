"""Gathers what several callers want computed into batches. Knows no model.

There is no thread here. A caller that finds a free place runs a batch itself, of what has waited longest; one that
finds none waits, and its rows go along with the next. So a lone caller never waits, nothing runs while nobody asks, and
there is no worker that could die and leave the others waiting. Only answers go from one caller to another, never
errors: a batch that fails is broken up, and each caller runs its own rows again, one by one.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ml.deadline import Deadline
from ml.errors import BackendError

_LOG = logging.getLogger(__name__)

Rows = Sequence[NDArray[np.generic]]  #: a model's inputs; they share their first axis, which counts the rows


@dataclass(eq=False)
class _Caller:
    """One call of ``run``, from its start to its end. ``batch`` is what this caller computes for all at present."""

    inputs: Rows
    deadline: Deadline | None
    answers: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    in_line: bool = False
    queued: int = 0
    alone: deque[_Row] = field(default_factory=deque)
    batch: Sequence[_Row] = ()
    refusal: Exception | None = None

    @property
    def is_answered(self) -> bool:
        return len(self.answers) == len(self.inputs[0])


@dataclass(frozen=True, eq=False)
class _Row:
    """Row ``number`` of its caller's inputs."""

    caller: _Caller
    number: int


class Batcher:
    """Runs the rows of concurrent callers together. Safe to use from any number of threads."""

    def __init__(
        self,
        compute: Callable[[Rows], NDArray[np.float32]],
        *,
        stage: str,
        sizes: Sequence[int],
        side_by_side: int = 1,
        room: int = 64,
        on_batch: Callable[[int], None] = lambda size: None,
    ) -> None:
        """``compute`` maps inputs of n rows, n one of ``sizes`` (1 is one of them), to n answers.

        At most ``side_by_side`` batches run at once. ``stage`` is what a deadline's message names. A caller lines up
        once fewer than ``room`` rows wait. ``on_batch`` is told the size of each batch and must not raise.
        """
        self._compute = compute
        self._stage = stage
        self._sizes = sorted(sizes)
        self._side_by_side = side_by_side
        self._room = room
        self._on_batch = on_batch
        self._changed = threading.Condition()
        self._line: deque[_Row] = deque()
        self._runners: set[_Caller] = set()

    def run(self, inputs: Rows, deadline: Deadline | None = None) -> NDArray[np.float32]:
        """The answers to all rows of ``inputs``, in their order.

        A row that has not been started when the deadline passes, or its client leaves, never is: raises what
        ``deadline.check`` does. Otherwise raises what ``compute`` raises for a row of this caller by itself.
        """
        caller = _Caller(inputs, deadline)
        try:
            while self._get_batch(caller):
                self._put_down(caller, self._answers(caller))
        finally:  # however this ends, even with its thread
            self._leave(caller)
        return np.stack([caller.answers[number] for number in range(len(inputs[0]))])

    def _get_batch(self, caller: _Caller) -> bool:
        """Waits until this caller has a batch to run (True) or all its answers (False)."""
        with self._changed:
            while not caller.is_answered:
                self._line_up(caller)
                has_place = len(self._runners) < self._side_by_side
                if has_place:
                    self._refuse_the_late(caller)
                if caller.refusal is not None:
                    raise caller.refusal
                if has_place and self._take(caller):
                    return True
                self._check(caller)
                self._changed.wait(None if caller.deadline is None else caller.deadline.remaining())
        return False

    def _line_up(self, caller: _Caller) -> None:
        if not caller.in_line and len(self._line) < self._room:
            caller.in_line = True
            caller.queued = len(caller.inputs[0])
            self._line.extend(_Row(caller, number) for number in range(caller.queued))

    def _refuse_the_late(self, own: _Caller) -> None:
        """Take the rows out of the line whose deadline has passed or whose client has left."""
        for caller in {own, *(row.caller for row in self._line)}:
            try:
                self._check(caller)
            except Exception as error:  # noqa: BLE001 - raised to its own caller, whatever it is
                caller.refusal = error
                self._take_out(caller)
                self._changed.notify_all()

    def _take(self, caller: _Caller) -> bool:
        """Give this caller a batch, if a row of its own waits: the oldest rows, as many as fill a size."""
        if not (caller.alone or caller.queued):
            return False
        self._runners.add(caller)
        if caller.alone:
            caller.batch = (caller.alone.popleft(),)
            return True
        size = max(size for size in self._sizes if size <= len(self._line))
        caller.batch = tuple(islice(self._line, size))
        for row in caller.batch:
            self._line.popleft()
            row.caller.queued -= 1
        return True

    def _check(self, caller: _Caller) -> None:
        if caller.deadline is not None:
            caller.deadline.check(self._stage)

    def _answers(self, caller: _Caller) -> NDArray[np.float32] | None:
        """One answer for each row of the caller's batch, or None if they cannot be computed together."""
        batch = caller.batch
        self._on_batch(len(batch))
        try:
            answers = self._compute(_stacked(batch))
            if len(answers) != len(batch):
                raise BackendError(f"{len(answers)} answers were computed for {len(batch)} rows.")
        except Exception:
            if len(batch) == 1 and batch[0].caller is caller:
                raise
            _LOG.warning("a batch of %d failed: its rows are run one by one", len(batch), exc_info=True)
            return None
        return answers

    def _put_down(self, caller: _Caller, answers: NDArray[np.float32] | None) -> None:
        """Give the place free; hand out the answers or, without any, each row back to its caller, to be run alone."""
        with self._changed:
            for place, row in enumerate(caller.batch):
                if answers is None:
                    row.caller.alone.append(row)
                else:
                    row.caller.answers[row.number] = answers[place]
            caller.batch = ()
            self._runners.discard(caller)
            self._changed.notify_all()

    def _leave(self, caller: _Caller) -> None:
        """Nothing of this caller stays behind, and what it was computing for others goes back to them."""
        self._put_down(caller, None)
        with self._changed:
            self._take_out(caller)
            caller.refusal = None  # its traceback holds the caller: a circle that would keep the photos

    def _take_out(self, caller: _Caller) -> None:
        if caller.queued:
            self._line = deque(row for row in self._line if row.caller is not caller)
            caller.queued = 0
        caller.alone.clear()


def _stacked(batch: Sequence[_Row]) -> Rows:
    if len(batch) == 1:
        return [array[batch[0].number : batch[0].number + 1] for array in batch[0].caller.inputs]
    columns = zip(*([array[row.number] for array in row.caller.inputs] for row in batch), strict=True)
    return [np.stack(column) for column in columns]

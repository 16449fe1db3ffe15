"""Callers that are known to wait: tests that need a full line wait for them, and for no clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.backends.base import BATCH_SIZES
from ml.batcher import Batcher, Rows
from ml.deadline import Deadline

#: seconds that nothing here ever takes; who waits so long has been forgotten
LONG = 30.0


class Arrival(Deadline):
    """A deadline far away that tells when it is looked at, as it is just before its caller begins to wait.

    ``left`` makes the looks fail, as those of a request do whose client has closed the connection. ``looks`` counts.
    """

    def __init__(self, seconds: float = LONG) -> None:
        super().__init__(seconds)
        self.left = threading.Event()
        self.looks = 0
        self._looked = threading.Event()

    def check(self, stage: str) -> None:
        self.looks += 1
        self._looked.set()
        super().check(stage)
        if self.left.is_set():
            raise ConnectionError(stage)

    def wait(self) -> None:
        assert self._looked.wait(LONG)


class HeldCompute:
    """10 × the first input + the second, a column. Until ``release``, its runs wait; it remembers what it was given.

    Rows whose first input is a key of ``faults`` raise the error there, with whatever is in their batch.
    """

    def __init__(self, faults: dict[int, BaseException] | None = None) -> None:
        self.faults = faults or {}
        self.batches: list[list[int]] = []
        self.threads: list[int] = []
        self.began = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._go = threading.Event()

    def release(self) -> None:
        self._go.set()

    def __call__(self, inputs: Rows) -> NDArray[np.float32]:
        keys = [int(key) for key in inputs[0][:, 0]]
        with self._lock:
            self.batches.append(keys)
            self.threads.append(threading.get_ident())
        self.began.release()
        assert self._go.wait(LONG)
        for key in keys:
            if key in self.faults:
                raise self.faults[key]
        return np.asarray(10 * inputs[0] + inputs[1], np.float32)

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]

    @property
    def seen(self) -> list[int]:
        return sorted({key for batch in self.batches for key in batch})


def make(compute: Callable[[Rows], Any], **options: Any) -> Batcher:
    """A batcher with everything as it is served, unless said otherwise."""
    return Batcher(compute, stage="encode", sizes=options.pop("sizes", BATCH_SIZES), **options)


def rows(*keys: int) -> list[NDArray[np.float32]]:
    """Inputs of HeldCompute."""
    column = np.array(keys, np.float32)[:, None]
    return [column, column + 0.5]


def answers(*keys: int) -> list[float]:
    """What belongs to ``rows``."""
    return [11 * key + 0.5 for key in keys]


class Callers:
    """Threads that call ``run``; each is known to wait, or to compute, before the next begins."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._pool = ThreadPoolExecutor(64)

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def first(self, compute: HeldCompute, *keys: int) -> Future[Any]:
        """One that finds a free place."""
        future = self._pool.submit(self._run, rows(*keys), Arrival())
        assert compute.began.acquire(timeout=LONG)
        return future

    def then(self, *keys: int, deadline: Arrival | None = None) -> Future[Any]:
        """One that has to wait."""
        deadline = deadline or Arrival()
        future = self.some_time(*keys, deadline=deadline)
        deadline.wait()
        return future

    def some_time(self, *keys: int, deadline: Arrival) -> Future[Any]:
        """One that comes whenever its thread runs."""
        return self._pool.submit(self._run, rows(*keys), deadline)


def numbers(futures: Sequence[Future[Any]]) -> list[list[float]]:
    """What the callers got."""
    return [future.result(LONG).ravel().tolist() for future in futures]

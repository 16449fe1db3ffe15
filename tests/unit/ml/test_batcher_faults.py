"""Computations that fail and threads that end: each caller's own concern, whoever computed for it."""

from __future__ import annotations

import ctypes
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ml.batcher import Rows
from ml.errors import BackendError
from tests.unit.ml.gathering import LONG, Arrival, Callers, HeldCompute, answers, make, numbers, rows


def test_a_bad_row_fails_alone() -> None:
    fault = ValueError("not this one")
    compute = HeldCompute({3: fault})
    with Callers(make(compute).run) as callers:
        futures = [callers.first(compute, 0), *(callers.then(key) for key in range(1, 9))]
        compute.release()
        bad = futures.pop(3)
        assert bad.exception(LONG) is fault
        assert numbers(futures) == [answers(key) for key in range(9) if key != 3]
    assert compute.sizes == [1, 8] + 8 * [1]


def test_a_bad_view_fails_its_own_request_alone() -> None:
    compute = HeldCompute({5: ValueError()})
    with Callers(make(compute).run) as callers:
        futures = [callers.first(compute, 0), callers.then(1, 2), callers.then(4, 5, 6), callers.then(7, 8, 9)]
        compute.release()
        bad = futures.pop(2)
        assert isinstance(bad.exception(LONG), ValueError)
        assert numbers(futures) == [answers(0), answers(1, 2), answers(7, 8, 9)]


def test_a_batch_with_another_number_of_answers_is_computed_row_by_row() -> None:
    def compute(inputs: Rows) -> np.ndarray:
        return held(inputs)[:1]

    held = HeldCompute()
    with Callers(make(compute).run) as callers:
        futures = [callers.first(held, 0), *(callers.then(key) for key in range(1, 5))]
        held.release()
        assert numbers(futures) == [answers(key) for key in range(5)]


def test_no_answer_at_all_is_each_caller_s_own_error() -> None:
    def compute(inputs: Rows) -> np.ndarray:
        return held(inputs)[:0]

    held = HeldCompute()
    with Callers(make(compute).run) as callers:
        futures = [callers.first(held, 0), callers.then(1), callers.then(2)]
        held.release()
        assert all(isinstance(future.exception(LONG), BackendError) for future in futures)
        assert len({id(future.exception()) for future in futures}) == 3


def test_rows_that_cannot_be_put_together_are_computed_by_themselves() -> None:
    compute = HeldCompute()
    batcher = make(compute)
    with Callers(batcher.run) as callers, ThreadPoolExecutor(1) as other:
        first, second, odd = callers.first(compute, 0), callers.then(1), Arrival()
        wide = other.submit(batcher.run, [np.full((1, 2), 5, np.float32), np.zeros((1, 2), np.float32)], odd)
        odd.wait()
        compute.release()
        assert numbers([first, second]) == [answers(0), answers(1)]
        assert wide.result(LONG).tolist() == [[50.0, 50.0]]


# threads that end


@pytest.mark.parametrize("fault", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_thread_that_ends_while_it_computes_leaves_nobody_behind(fault: type[BaseException]) -> None:
    compute = HeldCompute({4: fault()})
    batcher = make(compute)
    with Callers(batcher.run) as callers:
        futures = [callers.first(compute, 0), *(callers.then(key) for key in range(1, 5))]
        compute.release()
        ended = [future for future in futures if isinstance(future.exception(LONG), fault)]
        others = [(key, future) for key, future in enumerate(futures) if future not in ended]
        assert futures[4] in ended
        assert len(ended) <= 2  # whoever ran the four, and who is it that asked for the fourth
        assert numbers([future for _, future in others]) == [answers(key) for key, _ in others]
    assert batcher.run(rows(7, 8)).ravel().tolist() == answers(7, 8)


def kill(thread: int) -> None:
    """Make a thread end, wherever in Python it is."""
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(SystemExit)) == 1


def test_a_thread_that_is_killed_leaves_nobody_behind() -> None:
    held, spinning = HeldCompute(), threading.Event()

    def compute(inputs: Rows) -> np.ndarray:
        answer = held(inputs)
        if len(inputs[0]) == 4:
            spinning.set()
            end = time.monotonic() + LONG
            while time.monotonic() < end:
                pass
        return answer

    batcher = make(compute)
    with Callers(batcher.run) as callers:
        futures = [callers.first(held, 0), *(callers.then(key) for key in range(1, 5))]
        held.release()
        assert spinning.wait(LONG)
        kill(held.threads[1])
        ended = [future for future in futures if isinstance(future.exception(LONG), SystemExit)]
        assert len(ended) == 1
        others = [(key, future) for key, future in enumerate(futures) if future not in ended]
        assert numbers([future for _, future in others]) == [answers(key) for key, _ in others]
    assert batcher.run(rows(7)).ravel().tolist() == answers(7)

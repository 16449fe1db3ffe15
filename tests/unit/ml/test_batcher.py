"""Callers' rows are computed together, and each caller gets its own answers, or its own error, exactly once."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.backends.base import BATCH_SIZES
from ml.batcher import Rows
from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from tests.unit.ml.gathering import LONG, Arrival, Callers, HeldCompute, answers, make, numbers, rows


def test_a_lone_caller_computes_at_once_and_by_itself() -> None:
    compute = HeldCompute()
    compute.release()
    before = threading.active_count()
    found = make(compute).run(rows(3))
    assert found.ravel().tolist() == answers(3)
    assert (compute.batches, compute.threads) == ([[3]], [threading.get_ident()])
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("waiting", "sizes"), [(1, [1]), (2, [2]), (3, [2, 1]), (4, [4]), (7, [4, 2, 1]), (8, [8]), (11, [8, 2, 1])]
)
def test_what_arrives_while_a_batch_runs_goes_together_next(waiting: int, sizes: list[int]) -> None:
    compute, told = HeldCompute(), []
    batcher = make(compute, on_batch=told.append)
    with Callers(batcher.run) as callers:
        futures = [callers.first(compute, 0), *(callers.then(key) for key in range(1, waiting + 1))]
        compute.release()
        assert numbers(futures) == [answers(key) for key in range(waiting + 1)]
    assert compute.sizes == told == [1, *sizes]
    assert [key for batch in compute.batches for key in batch] == list(range(waiting + 1))  # first come, first computed


def test_no_batch_is_larger_than_the_largest_size() -> None:
    compute = HeldCompute()
    batcher = make(compute, sizes=(1, 2))
    with Callers(batcher.run) as callers:
        futures = [callers.first(compute, 0), *(callers.then(key) for key in range(1, 6))]
        compute.release()
        assert numbers(futures) == [answers(key) for key in range(6)]
    assert compute.sizes == [1, 2, 2, 1]


def test_the_rows_of_one_caller_stay_in_order_though_batches_divide_them() -> None:
    compute = HeldCompute()
    with Callers(make(compute).run) as callers:
        futures = [callers.first(compute, 1, 2, 3), callers.then(4, 5, 6), callers.then(7), callers.then(8, 9, 10)]
        compute.release()
        assert numbers(futures) == [answers(1, 2, 3), answers(4, 5, 6), answers(7), answers(8, 9, 10)]
    assert compute.batches == [[1, 2], [3, 4, 5, 6, 7, 8, 9, 10]]


def test_more_rows_than_any_batch_holds() -> None:
    compute = HeldCompute()
    compute.release()
    assert make(compute, room=2).run(rows(*range(21))).ravel().tolist() == answers(*range(21))
    assert compute.sizes == [8, 8, 4, 1]


def test_batches_run_side_by_side_as_many_as_allowed() -> None:
    compute = HeldCompute()
    with Callers(make(compute, side_by_side=2).run) as callers:
        futures = [callers.first(compute, 0), callers.first(compute, 1), callers.then(2), callers.then(3)]
        assert compute.batches == [[0], [1]]
        compute.release()
        assert numbers(futures) == [answers(key) for key in range(4)]
    assert compute.batches[2:] == [[2, 3]]


def test_the_line_is_bounded_and_who_finds_no_room_comes_in_later() -> None:
    compute = HeldCompute()
    with Callers(make(compute, room=2).run) as callers:
        futures = [callers.first(compute, 0), *(callers.then(key) for key in range(1, 6))]
        compute.release()
        assert numbers(futures) == [answers(key) for key in range(6)]
    assert compute.batches[1] == [1, 2]  # without the bound it would be four of them
    assert compute.seen == list(range(6))


# deadlines


def test_what_expires_while_it_waits_is_answered_at_once_and_never_computed() -> None:
    compute = HeldCompute()
    with Callers(make(compute).run) as callers:
        first, late = callers.first(compute, 0), callers.then(1, 2, deadline=Arrival(0.05))
        error = late.exception(LONG)  # the batch still runs
        assert isinstance(error, DeadlineExceededError)
        assert error.details["stage"] == "encode"
        compute.release()
        assert numbers([first]) == [answers(0)]
    assert compute.seen == [0]


def test_what_a_client_has_left_is_taken_out_when_the_next_batch_is_put_together() -> None:
    compute, gone = HeldCompute(), Arrival()
    with Callers(make(compute).run) as callers:
        futures = [callers.first(compute, 0), callers.then(1), callers.then(2, 3, 4, deadline=gone), callers.then(5)]
        gone.left.set()
        compute.release()
        assert isinstance(futures.pop(2).exception(LONG), ConnectionError)
        assert numbers(futures) == [answers(0), answers(1), answers(5)]
    assert compute.batches == [[0], [1, 5]]


def test_a_batch_that_failed_is_not_computed_again_for_who_has_left() -> None:
    compute, gone = HeldCompute({3: ValueError()}), Arrival()
    held = compute.__call__

    def leave_during_the_batch(inputs: Rows) -> np.ndarray:
        if len(inputs[0]) == 4:
            gone.left.set()
        return held(inputs)

    with Callers(make(leave_during_the_batch).run) as callers:
        futures = [callers.first(compute, 0), callers.then(1), callers.then(2), callers.then(3)]
        futures.append(callers.then(4, deadline=gone))
        compute.release()
        assert isinstance(futures[4].exception(LONG), ConnectionError)
        assert numbers(futures[:3]) == [answers(key) for key in range(3)]
    assert [4] not in compute.batches


def test_who_has_been_taken_out_is_answered_even_if_its_deadline_no_longer_says_so() -> None:
    compute, odd = HeldCompute(), Arrival()
    with Callers(make(compute).run) as callers:
        futures = [callers.first(compute, 0), callers.then(1), callers.then(2, deadline=odd), callers.then(3)]

        def look_once(stage: str) -> None:
            del odd.check
            raise ConnectionError(stage)

        odd.check = look_once  # type: ignore[method-assign]
        compute.release()
        assert isinstance(futures.pop(2).exception(LONG), ConnectionError)
        assert numbers(futures) == [answers(0), answers(1), answers(3)]


def test_a_deadline_that_has_passed_before_the_call() -> None:
    compute = HeldCompute()
    with pytest.raises(DeadlineExceededError):
        make(compute).run(rows(1), Deadline(0))
    assert compute.batches == []


# what it costs


def test_who_waits_sleeps_until_something_happens() -> None:
    compute = HeldCompute()
    batcher, deadlines = make(compute), [Arrival() for _ in range(8)]

    def used(inputs: Rows, deadline: Deadline) -> np.ndarray:
        before = time.thread_time()
        batcher.run(inputs, deadline)
        return np.array([time.thread_time() - before])

    with Callers(used) as callers:
        futures = [callers.first(compute, 0)]
        futures += [callers.then(key, deadline=deadline) for key, deadline in enumerate(deadlines, start=1)]
        before = time.thread_time()
        while time.thread_time() < before + 0.3:
            pass
        assert [deadline.looks for deadline in deadlines] == 8 * [1]  # one, before it fell asleep
        compute.release()
        assert max(future.result(LONG)[0] for future in futures) < 0.1


@pytest.mark.parametrize(("left", "error"), [(True, ConnectionError), (False, ValueError)])
def test_an_error_keeps_no_photo_alive(left: bool, error: type[Exception]) -> None:
    inputs, deadline = rows(1), Arrival()
    kept = weakref.ref(inputs[0])
    if left:
        deadline.left.set()

    def fail(_: Rows) -> np.ndarray:
        raise ValueError

    gc.disable()
    try:
        with pytest.raises(error) as caught:
            make(fail).run(inputs, deadline)
        del inputs, caught
        assert kept() is None
    finally:
        gc.enable()


# any interleaving

KINDS = st.sampled_from(["good", "good", "good", "bad", "ends"])
CALLERS = st.lists(
    st.tuples(st.lists(KINDS, min_size=1, max_size=3), st.sampled_from(["waits", "waits", "late", "leaves"])),
    min_size=1,
    max_size=10,
)


@settings(deadline=None, max_examples=200)
@given(
    CALLERS, st.integers(0, 10), st.integers(1, 3), st.sampled_from([1, 3, 64]), st.sampled_from([(1, 2), BATCH_SIZES])
)
def test_every_caller_is_answered_once_with_its_own_rows_or_its_own_error(
    wanted: list[tuple[list[str], str]], lined_up: int, side_by_side: int, room: int, sizes: tuple[int, ...]
) -> None:
    """The first ``lined_up`` callers wait when the first batches end; the others come whenever their threads run."""
    kinds = dict(enumerate(kind for of_caller, _ in wanted for kind in of_caller))
    faults: dict[int, BaseException] = {key: ValueError(key) for key, kind in kinds.items() if kind == "bad"}
    faults |= {key: SystemExit(key) for key, kind in kinds.items() if kind == "ends"}
    compute = HeldCompute(faults)
    batcher = make(compute, side_by_side=side_by_side, room=room, sizes=sizes)
    keys, calls = iter(kinds), []
    with Callers(batcher.run) as callers:
        firsts = [callers.first(compute, 1000 + place) for place in range(side_by_side)]
        for number, (of_caller, fate) in enumerate(wanted):
            if number == lined_up:
                compute.release()
            own, deadline = [next(keys) for _ in of_caller], Arrival(0.0 if fate == "late" else LONG)
            if fate == "leaves" and number >= lined_up:
                deadline.left.set()
            calls.append((own, fate, callers.some_time(*own, deadline=deadline)))
            if number < lined_up:
                deadline.wait()
                deadline.left.set() if fate == "leaves" else None
        compute.release()
        assert numbers(firsts) == [answers(1000 + place) for place in range(side_by_side)]
        for own, fate, future in calls:
            _check(own, fate, future, compute, kinds)
    assert set(compute.sizes) <= set(sizes)
    ended = sum(isinstance(future.exception(), SystemExit) for _, _, future in calls)
    # Each such row may end the thread that computes it with others, then the one that asked for it.
    assert ended <= 2 * sum(kind == "ends" for kind in kinds.values())
    assert batcher.run(rows(2000)).ravel().tolist() == answers(2000)


def _check(own: list[int], fate: str, future: Future[Any], compute: HeldCompute, kinds: dict[int, str]) -> None:
    error = future.exception(LONG)
    if fate != "waits":
        assert isinstance(error, DeadlineExceededError if fate == "late" else ConnectionError)
        assert not set(own) & set(compute.seen)
    elif error is None:
        assert future.result().ravel().tolist() == answers(*own)
        assert all(kinds[key] == "good" for key in own)
    elif isinstance(error, ValueError):
        assert error.args[0] in own
    else:  # a thread that ended while it computed, for itself or for others
        assert isinstance(error, SystemExit)

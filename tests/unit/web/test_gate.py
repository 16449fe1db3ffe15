from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from tests.waiting import wait_until
from web.errors import BusyError
from web.gate import Gate, Slot


def test_one_more_than_admitted_is_refused_at_once() -> None:
    gate = Gate(admitted=2, running=1)
    with ExitStack() as inside:
        inside.enter_context(gate.admit())
        inside.enter_context(gate.admit())
        with pytest.raises(BusyError), gate.admit():
            pass
        assert gate.inside == 2
    with gate.admit():
        assert gate.inside == 1


def test_a_failed_request_gives_its_place_and_its_turn_back() -> None:
    gate = Gate(admitted=1, running=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="failed"), gate.admit(), gate.run(Deadline(5)):
            raise ValueError("failed")
    with gate.admit(), gate.run(Deadline(5)):
        assert gate.inside == 1


def test_whoever_waits_for_a_turn_past_the_deadline_is_told_the_stage() -> None:
    gate = Gate(admitted=2, running=1)
    with gate.run(Deadline(5)), pytest.raises(DeadlineExceededError) as caught, gate.run(Deadline(0)):
        pass
    assert caught.value.details["stage"] == "queue"


def test_a_waiting_request_runs_when_its_turn_comes() -> None:
    gate = Gate(admitted=2, running=1)
    ran = threading.Event()

    def wait() -> None:
        with gate.admit(), gate.run(Deadline(30)):
            ran.set()

    with gate.run(Deadline(5)):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not ran.is_set()
    waiting.join(30)
    assert ran.is_set()


def ticking(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def test_the_retry_time_follows_the_measured_service_time() -> None:
    clock = ticking(10.0)
    gate = Gate(admitted=4, running=2, clock=lambda: next(clock))
    for _ in range(60):
        with gate.run(Deadline(5)):
            pass
    with ExitStack() as inside:
        for _ in range(4):
            inside.enter_context(gate.admit())
        with pytest.raises(BusyError) as caught, gate.admit():
            pass
    # four inside, two at once, ten seconds each
    assert caught.value.retry_after_s == pytest.approx(20, abs=1)


def test_failed_requests_do_not_shorten_the_retry_time() -> None:
    clock = ticking(10.0)
    gate = Gate(admitted=1, running=1, clock=lambda: next(clock))
    for _ in range(60):
        with gate.run(Deadline(5)):
            pass
    clock = ticking(0.0)  # a file that cannot be read costs no time
    for _ in range(60):
        with pytest.raises(ValueError, match="bad file"), gate.run(Deadline(5)):
            raise ValueError("bad file")
    with gate.admit(), pytest.raises(BusyError) as caught, gate.admit():
        pass
    assert caught.value.retry_after_s == pytest.approx(10, abs=1)


def test_a_full_gate_asks_for_room() -> None:
    asked: list[bool] = []
    gate = Gate(admitted=1, running=1, on_full=lambda: asked.append(True))
    with gate.admit():
        assert asked == []
        with pytest.raises(BusyError), gate.admit():
            pass
    assert asked == [True]


def test_those_who_left_are_counted_whatever_became_of_them() -> None:
    gate = Gate(admitted=1, running=1)
    with gate.admit():
        assert gate.left == 0
        with pytest.raises(BusyError), gate.admit():
            pass
    with pytest.raises(ValueError, match="failed"), gate.admit():
        raise ValueError("failed")
    assert gate.left == 2


def test_a_slot_holds_one() -> None:
    slot = Slot("taken")
    with slot.enter(), pytest.raises(BusyError), slot.enter():
        pass
    with slot.enter():
        pass


def test_each_change_is_told() -> None:
    told: list[tuple[int, int]] = []
    gate = Gate(admitted=2, running=1, on_change=lambda waiting, running: told.append((waiting, running)))
    with gate.admit(), gate.admit(), gate.run(Deadline(5)):
        pass
    assert told == [(1, 0), (2, 0), (1, 1), (2, 0), (1, 0), (0, 0)]


def measured_gate(service_s: float, **limits: float) -> Gate:
    """A gate that has learned that an analysis takes ``service_s``."""
    clock = ticking(service_s)
    gate = Gate(admitted=100, running=2, clock=lambda: next(clock), **limits)
    for _ in range(60):
        with gate.run(Deadline(5)):
            pass
    return gate


def test_nobody_is_let_in_to_wait_longer_than_allowed() -> None:
    gate = measured_gate(10.0, longest_wait_s=25.0)
    with ExitStack() as inside:
        for _ in range(6):  # the sixth finds five before it: two rounds of two at once, 20 s
            inside.enter_context(gate.admit())
        with pytest.raises(BusyError), gate.admit():  # three rounds, 30 s
            pass


def test_a_free_turn_is_never_refused_however_long_analyses_take() -> None:
    gate = measured_gate(1000.0, longest_wait_s=0.1)
    with gate.admit(), gate.admit(), pytest.raises(BusyError), gate.admit():
        pass
    with gate.admit():
        assert gate.inside == 1


def test_turns_come_in_the_order_of_arrival() -> None:
    gate = Gate(admitted=9, running=1)
    served: list[int] = []

    def wait(number: int) -> None:
        with gate.run(Deadline(30)):
            served.append(number)

    threads = []
    with gate.run(Deadline(5)):
        for number in range(5):
            threads.append(threading.Thread(target=wait, args=(number,)))
            threads[-1].start()
            wait_until(lambda: gate.waiting == len(threads), limit_s=30)
    for thread in threads:
        thread.join(30)
    assert served == [0, 1, 2, 3, 4]


def test_a_newcomer_does_not_pass_whoever_was_given_the_turn() -> None:
    gate = Gate(admitted=9, running=1)
    served: list[str] = []

    def wait() -> None:
        with gate.run(Deadline(30)):
            served.append("waited")

    with gate.run(Deadline(5)):
        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_until(lambda: gate.waiting == 1, limit_s=30)
    with gate.run(Deadline(30)):  # at once after the turn was given back
        served.append("newcomer")
    waiting.join(30)
    assert served == ["waited", "newcomer"]


def test_whoever_gives_up_leaves_the_line_and_its_turn_to_the_next() -> None:
    gate = Gate(admitted=9, running=1)
    with gate.run(Deadline(5)):
        with pytest.raises(DeadlineExceededError), gate.run(Deadline(0.01)):
            pass
        assert gate.waiting == 0
    with gate.run(Deadline(5)):
        pass

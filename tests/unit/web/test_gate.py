from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from web.errors import BusyError
from web.gate import Gate, Lane


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


def test_a_lane_holds_one() -> None:
    lane = Lane()
    with lane.enter(), pytest.raises(BusyError), lane.enter():
        pass
    with lane.enter():
        pass


def test_each_change_is_told() -> None:
    told: list[tuple[int, int]] = []
    gate = Gate(admitted=2, running=1, on_change=lambda waiting, running: told.append((waiting, running)))
    with gate.admit(), gate.admit(), gate.run(Deadline(5)):
        pass
    assert told == [(1, 0), (2, 0), (1, 1), (2, 0), (1, 0), (0, 0)]

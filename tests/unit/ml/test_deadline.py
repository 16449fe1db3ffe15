from __future__ import annotations

import pytest

from ml import deadline
from ml.deadline import Deadline
from ml.errors import DeadlineExceededError


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(deadline, "time", made)
    return made


def test_time_runs_down_to_nothing(clock: Clock) -> None:
    limit = Deadline(10)
    clock.now += 4
    assert limit.remaining() == pytest.approx(6)
    limit.check("encode")
    clock.now += 7
    assert limit.remaining() == 0


def test_a_stage_that_comes_too_late_is_named(clock: Clock) -> None:
    limit = Deadline(2.5)
    clock.now += 2.5
    with pytest.raises(DeadlineExceededError, match=r"within 2\.5 s: it stopped before 'search'") as caught:
        limit.check("search")
    assert caught.value.details == {"stage": "search", "limit_s": 2.5}


def test_no_time_at_all() -> None:
    with pytest.raises(DeadlineExceededError):
        Deadline(0).check("measure")

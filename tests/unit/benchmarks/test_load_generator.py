"""The load generator and its arithmetic."""

from __future__ import annotations

import asyncio
import itertools
from statistics import mean

import pytest

from benchmarks.peers.load import Reply, closed_loop, open_loop, poisson_schedule
from benchmarks.peers.outcomes import Outcome, median, percentile, summarise


def test_arrivals_are_a_poisson_process() -> None:
    due = poisson_schedule(50.0, 200.0, seed=3)
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert due == sorted(due)
    assert due[0] > 0
    assert due[-1] < 200.0
    assert mean(gaps) == pytest.approx(1 / 50, rel=0.05)
    # of an exponential distribution, e⁻¹ of the gaps are longer than their mean
    assert sum(gap > 1 / 50 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)
    assert due == poisson_schedule(50.0, 200.0, seed=3)
    assert due != poisson_schedule(50.0, 200.0, seed=4)


def test_latency_counts_from_when_a_request_was_due() -> None:
    """Requests that are due while the sender is held up are late, and say so."""

    async def run() -> list[Outcome]:
        async def send(number: int) -> Reply:
            if number == 0:
                held_up = asyncio.get_running_loop().time() + 0.2
                while asyncio.get_running_loop().time() < held_up:
                    pass
            return Reply(200, None, b"")

        return await open_loop(send, [0.0, 0.01, 0.02])

    outcomes = asyncio.run(run())
    assert [outcome.due for outcome in outcomes] == [0.0, 0.01, 0.02]
    assert all(outcome.latency >= 0.17 for outcome in outcomes)


def test_what_is_not_answered_is_counted_as_such() -> None:
    async def run() -> list[Outcome]:
        async def send(number: int) -> Reply:
            if number == 0:
                raise ConnectionResetError
            return Reply(503, 2.0, b"")

        return await open_loop(send, [0.0, 0.0])

    reset, refused = asyncio.run(run())
    assert (reset.status, reset.problem) == (None, "ConnectionResetError")
    assert (refused.status, refused.retry_after) == (503, True)


def test_a_closed_loop_has_no_more_requests_under_way_than_clients() -> None:
    under_way, most = 0, 0

    async def send(_: int) -> Reply:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return Reply(200, None, b"")

    outcomes = asyncio.run(closed_loop(send, clients=3, seconds=0.05))
    assert most == 3
    assert {outcome.status for outcome in outcomes} == {200}


def test_the_summary_counts_the_window_alone() -> None:
    outcomes = [
        Outcome(0.5, 0.1, 200),  # before it
        Outcome(1.0, 0.2, 200),
        Outcome(1.5, 1.6, 200),  # too late to be of use
        Outcome(2.0, 0.0, 503, retry_after=True),
        Outcome(2.5, 0.0, 503),
        Outcome(2.6, 0.1, None, "IncompleteReadError"),
    ]
    found = summarise(outcomes, begin=1.0, end=3.0, by_completion=False)
    assert found["requests"] == 5
    assert found["ok_per_s"] == 1.0
    assert found["goodput_per_s"] == 0.5
    assert found["p50_s"] == 0.2
    assert found["p99_s"] == 1.6
    assert found["statuses"] == {"200": 2, "503": 2}
    assert found["problems"] == {"IncompleteReadError": 1}
    assert found["503_without_retry_after"] == 1


@pytest.mark.parametrize(("percent", "expected"), [(50, 2.0), (75, 3.0), (99, 4.0), (0, 1.0)])
def test_percentiles_are_values_that_occurred(percent: float, expected: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == expected


def test_medians() -> None:
    assert median([3.0, None, 1.0]) == 2.0
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert median([None]) is None
    assert percentile([], 50) is None

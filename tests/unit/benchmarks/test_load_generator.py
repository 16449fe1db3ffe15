"""The load generator and its arithmetic."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from concurrent.futures import Future
from statistics import mean

import pytest

from benchmarks.compare import ratio
from benchmarks.load import Reply, Send, closed_loop, in_background, load_on, open_loop, poisson_schedule
from benchmarks.outcomes import Outcome, Tally, median, percentile, summarise
from tests.waiting import wait_until


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


def closed(send: Send, clients: int, requests: int, **pauses: float) -> list[Outcome]:
    """The outcomes of a closed loop that ends after so many requests."""

    async def run() -> Tally:
        tally, stop = Tally(), asyncio.Event()

        async def counted(number: int) -> Reply:
            if number + 1 >= requests:
                stop.set()
            return await send(number)

        await closed_loop(counted, clients, stop, tally, **pauses)
        return tally

    return asyncio.run(run()).outcomes


def test_a_closed_loop_has_no_more_requests_under_way_than_clients() -> None:
    under_way, most = 0, 0

    async def send(_: int) -> Reply:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return Reply(200, None, b"")

    outcomes = closed(send, clients=3, requests=50)
    assert most == 3
    assert {outcome.status for outcome in outcomes} == {200}


def test_a_refused_client_comes_back_when_it_is_told_to_or_is_allowed_to() -> None:
    async def send(_: int) -> Reply:
        return Reply(503, 0.2, b"")

    told = closed(send, clients=1, requests=2)
    assert told[1].due - told[0].due >= 0.2
    hasty = closed(send, clients=1, requests=2, longest_pause_s=0.01)
    assert hasty[1].due - hasty[0].due < 0.2


def test_a_client_keeps_its_pace() -> None:
    async def send(_: int) -> Reply:
        return Reply(200, None, b"")

    first, second = closed(send, clients=1, requests=2, every_s=0.1)
    assert second.due - first.due >= 0.1


def test_a_client_ends_where_nobody_listens() -> None:
    async def send(_: int) -> Reply:
        raise ConnectionRefusedError

    outcomes = closed(send, clients=2, requests=1_000)
    assert len(outcomes) == 2


def test_nothing_is_left_out_of_the_count() -> None:
    answered, told = Outcome(0.0, 0.1, 200), Outcome(0.0, 0.1, 503, retry_after=True)
    tally = Tally([answered, told, Outcome(0.0, 0.1, 503), Outcome(0.0, 0.1, None, "ConnectionResetError")])
    tally.outcomes.append(Outcome(0.0, 0.1, None, "ConnectionRefusedError"))
    assert tally.answers == {200: 1, 503: 1}
    assert tally.lost == ["503 without Retry-After", "ConnectionResetError"]
    assert tally.refused == 1


def test_a_service_is_asked_in_the_background(tcp_service: str) -> None:
    with load_on(tcp_service, b"a photo", clients=2) as tally:
        wait_until(lambda: tally.answers[200] >= 4)
    assert tally.lost == []
    assert tally.refused == 0


@pytest.fixture
def tcp_service() -> Iterator[str]:
    """Answers each connection with 200, in the form that a server without keep-alive does."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"a photo")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nan answer")
        writer.close()

    address: Future[str] = Future()

    async def serve(stop: asyncio.Event) -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            address.set_result(f"http://{host}:{port}")
            await stop.wait()

    with in_background(serve):
        yield address.result(30)


def test_a_ratio_is_told_with_its_interval() -> None:
    middle, low, high = ratio([2.0, 4.0, 8.0], [1.0, 2.0, 4.0])
    assert (middle, low, high) == (pytest.approx(2.0), pytest.approx(2.0), pytest.approx(2.0))
    middle, low, high = ratio([1.0, 4.0], [1.0, 1.0])
    assert middle == pytest.approx(2.0)
    assert low < 1 < high


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

from __future__ import annotations

import os

from server.balance import ABSENT, ConnectionCounts, Share


def counts_of(*connections: int) -> ConnectionCounts:
    counts = ConnectionCounts(len(connections))
    for number, count in enumerate(connections):
        share = counts.share(number)
        assert share is not None
        share.report(count)
    return counts


def share_of(counts: ConnectionCounts, number: int) -> Share:
    share = counts.share(number)
    assert share is not None
    return share


def test_a_connection_is_left_to_the_sibling_that_has_fewer() -> None:
    counts = counts_of(3, 1)
    assert share_of(counts, 0).should_wait()
    assert not share_of(counts, 1).should_wait()


def test_among_equals_whoever_wakes_takes_it() -> None:
    counts = counts_of(2, 2)
    assert not share_of(counts, 0).should_wait()
    assert not share_of(counts, 1).should_wait()


def test_nobody_waits_for_a_worker_that_loads_leaves_or_has_ended() -> None:
    assert not share_of(counts_of(5, ABSENT), 0).should_wait()
    counts = counts_of(5, 0)
    counts.forget(1)
    assert not share_of(counts, 0).should_wait()


def test_a_worker_that_loads_leaves_connections_to_those_that_serve() -> None:
    counts = counts_of(ABSENT, 7)
    assert share_of(counts, 0).should_wait()
    assert not share_of(counts, 1).should_wait()


def test_the_only_worker_takes_everything() -> None:
    assert not share_of(counts_of(9), 0).should_wait()


def test_a_sibling_that_does_not_come_is_not_waited_for_long() -> None:
    memory = memoryview(bytearray(8)).cast("i")
    memory[0], memory[1] = 4, 0
    now = 100.0
    share = Share(memory, 0, clock=lambda: now)
    looks = 0
    while share.should_wait():
        now += 0.001
        looks += 1
    assert 1 < looks < 50
    assert share.should_wait()  # the next connection is offered again


def test_a_worker_beyond_the_places_takes_what_comes() -> None:
    counts = ConnectionCounts(2)
    assert counts.share(2) is None
    counts.forget(2)


def test_counts_are_shared_with_processes_that_are_forked_later() -> None:
    counts = counts_of(3, 3)
    child = os.fork()
    if child == 0:
        share_of(counts, 1).report(0)
        os._exit(0)
    os.waitpid(child, 0)
    assert share_of(counts, 0).should_wait()

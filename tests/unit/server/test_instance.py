"""What an arbiter and its workers share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from server import instance
from server.balance import Share
from server.instance import Instance
from server.process import this_process
from server.readiness import SharedReadiness
from settings import Settings
from web.process import State


@dataclass
class Worker:
    pid: int
    number: int = -1
    share: Share | None = None


@pytest.fixture
def shared() -> Iterator[Instance]:
    made = Instance(2)
    yield made
    made.remove()


def test_a_new_worker_takes_the_lowest_number_that_is_free(shared: Instance) -> None:
    workers: list[Worker] = []

    def fork(pid: int) -> int:
        workers.append(Worker(pid))
        shared.enrol(workers[-1], workers[:-1])
        return workers[-1].number

    assert [fork(10), fork(11), fork(12)] == [0, 1, 2]
    del workers[1]
    assert [fork(13), fork(14)] == [1, 3]


def test_a_worker_for_which_there_is_no_count_takes_what_comes(shared: Instance) -> None:
    workers = [Worker(pid, number=pid) for pid in range(4)]
    last = Worker(5)
    shared.enrol(last, workers)
    assert (last.number, last.share) == (4, None)
    shared.forget(last)


def test_a_dead_worker_is_neither_ready_nor_waited_for(shared: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, other = Worker(10), Worker(11)
    shared.enrol(dead, [])
    shared.enrol(other, [dead])
    assert dead.share is not None
    assert other.share is not None
    monkeypatch.setattr("os.getpid", lambda: 10)
    readiness = SharedReadiness(shared.folder, expected=1)
    readiness.publish(State.READY)
    dead.share.report(0)
    other.share.report(5)
    assert other.share.should_wait()
    shared.forget(dead)
    assert not other.share.should_wait()
    assert readiness.instance().workers_ready == 0


def test_nothing_is_left_on_the_disk(shared: Instance) -> None:
    SharedReadiness(shared.folder, expected=1).publish(State.READY)
    shared.remove()
    assert not shared.folder.exists()


def test_under_another_server_a_process_stands_for_itself() -> None:
    alone = this_process(Settings(gunicorn_workers=2))
    assert (alone.folder, alone.number) == (None, 0)
    assert alone.readiness.instance().workers_expected == 1


def test_the_application_is_told_of_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "_current", None)
    instance.begin(2)
    made = instance.current()
    assert made is not None
    try:
        made.number = 1
        process = this_process(Settings(gunicorn_workers=2))
        assert (process.folder, process.number) == (made.folder, 1)
        assert process.readiness.instance().workers_expected == 2
        process.readiness.publish(State.STARTING)
        (held,) = process.memory().values()
        assert held.resident > 2**20
    finally:
        made.remove()

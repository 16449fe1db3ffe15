"""What an arbiter and its workers share, and when the instance is ready."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from server import instance
from server.instance import Instance, this_process
from settings import Settings
from web.process import Instance as Seen
from web.process import State


@dataclass
class Worker:
    number: int = -1
    age: int = 1


@pytest.fixture
def shared() -> Instance:
    return Instance(2)


@pytest.fixture
def publish(shared: Instance) -> Callable[[int, State], bool]:
    """Speak as the worker with this number, one of two."""

    def speak(number: int, state: State) -> bool:
        shared.number = number
        return shared.publish(state)

    return speak


def test_a_new_worker_takes_the_lowest_number_that_is_free(shared: Instance) -> None:
    workers: list[Worker] = []

    def fork() -> int:
        worker = Worker()
        shared.enrol(worker, workers)
        workers.append(worker)
        return worker.number

    assert [fork(), fork(), fork()] == [0, 1, 2]
    del workers[1]
    assert [fork(), fork()] == [1, 3]


def test_the_instance_is_ready_when_the_last_worker_is(shared: Instance, publish) -> None:
    assert not publish(0, State.STARTING)
    assert not publish(0, State.READY)
    assert shared.instance() == Seen(False, 1, 2)
    assert not shared.was_ready()
    assert publish(1, State.READY)
    assert shared.instance() == Seen(True, 2, 2)


def test_an_instance_that_was_ready_stays_so_while_one_worker_is(shared: Instance, publish) -> None:
    for number in (0, 1):
        publish(number, State.READY)
    shared.forget(Worker(0))
    assert shared.instance() == Seen(True, 1, 2)
    publish(0, State.STARTING)
    assert shared.instance().ready
    assert not publish(0, State.READY), "only the first time is announced"
    for number in (0, 1):
        shared.forget(Worker(number))
    assert shared.instance() == Seen(False, 0, 2)


def test_an_instance_that_stops_is_not_ready_whatever_its_workers_are(shared: Instance, publish) -> None:
    for number in (0, 1):
        publish(number, State.READY)
    shared.mark_stopping()
    assert shared.is_stopping()
    assert shared.instance() == Seen(False, 2, 2, stopping=True)


@pytest.mark.parametrize("state", [State.FAILED, State.DISABLED, State.STARTING])
def test_no_other_state_counts(state: State, shared: Instance, publish) -> None:
    for number in (0, 1):
        assert not publish(number, state)
    assert not shared.instance().ready


#: stands for a worker that loads, leaves or has ended
ABSENT = None


@pytest.mark.parametrize(
    ("own", "siblings", "leaves"),
    [
        (3, [1], True),
        (1, [3], False),
        (2, [2], False),
        (2, [2, 5, 1], True),
        (5, [ABSENT], False),
        (ABSENT, [7], True),
        (ABSENT, [ABSENT], False),
        (9, [], False),
    ],
)
def test_a_connection_is_left_to_a_sibling_that_serves_and_has_fewer(own, siblings, leaves, shared: Instance) -> None:
    for number, connections in enumerate([own, *siblings]):
        shared.number = number
        shared.report_connections(connections or 0, accepting=connections is not ABSENT)
    shared.number = 0
    assert shared.sibling_has_fewer() is leaves


def test_nothing_is_left_to_a_worker_that_has_ended(shared: Instance) -> None:
    for number, connections in ((1, 0), (0, 5)):
        shared.number = number
        shared.report_connections(connections, accepting=True)
    assert shared.sibling_has_fewer()
    shared.forget(Worker(1))
    assert not shared.sibling_has_fewer()


def test_workers_that_are_forked_later_share_it_all(shared: Instance, publish) -> None:
    publish(0, State.READY)
    child = os.fork()
    if child == 0:
        os._exit(0 if publish(1, State.READY) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert shared.instance() == Seen(True, 2, 2)
    assert shared.pids() == [os.getpid(), child]
    assert not publish(0, State.READY), "the other worker has announced the instance"


def test_under_another_server_a_process_stands_for_itself() -> None:
    alone = this_process(Settings(gunicorn_workers=2))
    assert (alone.folder, alone.number) == (None, 0)
    assert alone.readiness.instance() == Seen(False, 0, 1)
    assert alone.readiness.publish(State.READY)
    assert alone.readiness.instance() == Seen(True, 1, 1)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """As the arbiter makes it."""
    monkeypatch.setattr(instance, "_current", None)
    made = instance.begin(2)
    yield made
    made.remove()


def test_the_application_knows_its_process(begun: Instance) -> None:
    begun.number = 1
    process = this_process(Settings(gunicorn_workers=2))
    assert (process.folder, process.number) == (begun.folder, 1)
    assert process.readiness.instance().workers_expected == 2
    process.readiness.publish(State.STARTING)
    (held,) = process.memory().values()
    assert held.resident > 2**20


def test_nothing_is_left_on_the_disk(begun: Instance) -> None:
    assert begun.folder is not None
    assert begun.folder.is_dir()
    begun.remove()
    assert not begun.folder.exists()


def test_a_worker_is_replaced_when_all_later_ones_can_take_over(shared: Instance, publish) -> None:
    for number in range(3):
        shared.enrol(Worker(age=number + 1), [Worker(other) for other in range(number)])
        publish(number, State.STARTING)
    assert not publish_and_ask(shared, publish, 1, State.READY)
    assert publish_and_ask(shared, publish, 2, State.DISABLED)
    assert not publish_and_ask(shared, publish, 2, State.FAILED)
    shared.number = 2
    assert not shared.is_replaced(), "nobody started later"


def publish_and_ask(shared: Instance, publish, number: int, state: State) -> bool:
    """Whether the first worker is replaced after this."""
    publish(number, state)
    shared.number = 0
    return shared.is_replaced()


class Released:
    """A generation that counts its releases."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.times = 0

    def release(self) -> None:
        self.times += 1


def test_a_generation_is_released_with_its_last_worker() -> None:
    old, new, workers = Released(), Released(), [Worker(), Worker(), Worker()]
    shared = Instance(2, generation=old)
    for place, worker in enumerate(workers):
        if place == 2:
            shared.generation = new
        shared.enrol(worker, workers[:place])
    shared.forget(workers[0])
    assert old.times == 0
    shared.forget(workers[1])
    shared.forget(workers[2])
    assert (old.times, new.times) == (1, 0), "the present generation is kept for the next worker"
    shared.remove()
    assert (old.times, new.times) == (1, 1)

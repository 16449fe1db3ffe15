from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.readiness import OwnReadiness, SharedReadiness, forget, is_stopping, mark_stopping
from web.process import Instance, State


@pytest.fixture
def pid(monkeypatch: pytest.MonkeyPatch):
    """Speak as the worker with this process id."""
    return lambda number: monkeypatch.setattr(os, "getpid", lambda: number)


def test_a_single_process_stands_for_itself() -> None:
    alone = OwnReadiness()
    assert alone.instance() == Instance(False, 0, 1)
    assert alone.publish(State.READY)
    assert alone.instance() == Instance(True, 1, 1)
    assert alone.was_ready()


def test_the_instance_is_ready_when_the_last_worker_is(tmp_path: Path, pid) -> None:
    workers = SharedReadiness(tmp_path, expected=2)
    pid(1)
    assert not workers.publish(State.STARTING)
    assert not workers.publish(State.READY)
    assert workers.instance() == Instance(False, 1, 2)
    assert not workers.was_ready()
    pid(2)
    assert workers.publish(State.READY)
    assert workers.instance() == Instance(True, 2, 2)


def test_an_instance_that_was_ready_stays_so_while_one_worker_is(tmp_path: Path, pid) -> None:
    workers = SharedReadiness(tmp_path, expected=2)
    for number in (1, 2):
        pid(number)
        workers.publish(State.READY)
    forget(tmp_path, 1)
    assert workers.instance() == Instance(True, 1, 2)
    pid(3)
    workers.publish(State.STARTING)
    assert workers.instance().ready
    assert not workers.publish(State.READY), "only the first time is announced"
    for number in (2, 3):
        forget(tmp_path, number)
    assert workers.instance() == Instance(False, 0, 2)


def test_an_instance_that_stops_is_not_ready_whatever_its_workers_are(tmp_path: Path) -> None:
    worker = SharedReadiness(tmp_path, expected=1)
    worker.publish(State.READY)
    assert not is_stopping(tmp_path)
    mark_stopping(tmp_path)
    assert is_stopping(tmp_path)
    assert worker.instance() == Instance(False, 1, 1, stopping=True)
    assert OwnReadiness().instance().stopping is False


def test_a_stop_that_cannot_be_marked_is_no_error(tmp_path: Path) -> None:
    mark_stopping(tmp_path / "gone")


@pytest.mark.parametrize("state", [State.FAILED, State.DISABLED, State.STARTING])
def test_no_other_state_counts(state: State, tmp_path: Path) -> None:
    worker = SharedReadiness(tmp_path, expected=1)
    worker.publish(state)
    assert not worker.instance().ready


def test_a_worker_that_cannot_write_its_state_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    worker = SharedReadiness(tmp_path / "gone", expected=1)
    assert not worker.publish(State.READY)
    assert not worker.instance().ready
    assert "state_not_published" in caplog.messages


def test_the_workers_processes_are_known(tmp_path: Path, pid) -> None:
    workers = SharedReadiness(tmp_path, expected=2)
    for number in (20, 3):
        pid(number)
        workers.publish(State.STARTING)
    assert workers.pids() == [3, 20]
    assert OwnReadiness().pids() == [3]


def test_forgetting_an_unknown_worker_is_no_error(tmp_path: Path) -> None:
    forget(tmp_path, 12345)

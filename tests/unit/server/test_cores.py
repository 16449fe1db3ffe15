"""Which physical cores the service may use, and which of them each worker keeps to."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import cores
from tests.unit.server.machines import EIGHT, Machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("cpus", "of_core", "quota", "usable"),
    [
        (set(range(8)), EIGHT, None, 4),
        ({0, 4}, EIGHT, None, 1),
        (set(range(8)), EIGHT, "max 100000", 4),
        (set(range(8)), EIGHT, "200000 100000", 2),
        (set(range(8)), EIGHT, "50000 100000", 1),
        ({0, 1}, {}, None, 2),
        ({0, 1}, {0: (0, 0), 1: (1, 0)}, None, 2),
    ],
)
def test_physical_cores_within_affinity_and_quota(cpus, of_core, quota, usable, machine: Machine) -> None:
    machine.become(cpus, of_core, quota)
    assert cores.usable_cores() == usable


def test_the_least_quota_on_the_way_to_the_root_counts(machine: Machine) -> None:
    machine.become(set(range(8)), EIGHT, "max 100000")
    (machine.folder / "own").write_text("3:cpu:/elsewhere\n0::/system.slice/web.service\n")
    service = machine.folder / "system.slice" / "web.service"
    service.mkdir(parents=True)
    (service / "cpu.max").write_text("300000 100000")
    assert cores.usable_cores() == 3
    (service.parent / "cpu.max").write_text("150000 100000")
    assert cores.usable_cores() == 2


def test_each_worker_has_a_core_of_its_own_with_its_hyperthreads(machine: Machine) -> None:
    machine.become(set(range(8)), EIGHT)
    assert [cores.cpus_of_worker(number, 4, 1) for number in range(4)] == [{0, 4}, {1, 5}, {2, 6}, {3, 7}]


def test_cores_that_are_left_over_are_shared_out(machine: Machine) -> None:
    machine.become(set(range(8)), EIGHT)
    assert [cores.cpus_of_worker(number, 2, 1) for number in range(2)] == [{0, 1, 4, 5}, {2, 3, 6, 7}]


def test_the_workers_of_a_reload_keep_to_the_same_cores(machine: Machine) -> None:
    machine.become({0, 1}, {})
    assert cores.cpus_of_worker(2, 2, 1) == cores.cpus_of_worker(0, 2, 1) == {0}


@pytest.mark.parametrize(
    ("workers", "computing", "quota"), [(1, 1, None), (8, 1, None), (4, 2, None), (4, 1, "300000 100000")]
)
def test_no_worker_is_kept_where_one_would_wait_for_another(workers, computing, quota, machine: Machine) -> None:
    machine.become(set(range(8)), EIGHT, quota)
    assert cores.cpus_of_worker(0, workers, computing) is None


def test_a_worker_that_keeps_to_its_cores_still_knows_those_of_the_service(machine: Machine) -> None:
    machine.become(set(range(8)), EIGHT)
    cores.keep_to(frozenset({2, 6}))
    assert machine.kept == [{2, 6}]
    assert cores.usable_cores() == 4


def test_where_it_is_forbidden_a_worker_runs_anywhere(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: int, __: object) -> None:
        raise PermissionError

    machine.become(set(range(8)), EIGHT)
    monkeypatch.setattr(cores.os, "sched_setaffinity", forbidden)
    cores.keep_to(frozenset({2, 6}))
    assert cores.usable_cores() == 4

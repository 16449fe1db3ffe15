"""Which physical cores the service may use, and how many threads compute on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import threads
from settings import Settings

EIGHT = {cpu: (0, cpu % 4) for cpu in range(8)}  # m5.2xlarge: eight processors, four cores


class Machine:
    """What ``server.threads`` reads of the system, from ``folder`` instead."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = patch

    def become(self, cpus: set[int], of_core: dict[int, tuple[int, int]], quota: str | None = None) -> None:
        """``of_core``: (package, core) of each processor; ``quota`` as cpu.max has it."""
        for cpu, (package, core) in of_core.items():
            place = self.folder / "cpu" / f"cpu{cpu}" / "topology"
            place.mkdir(parents=True)
            (place / "physical_package_id").write_text(f"{package}\n")
            (place / "core_id").write_text(f"{core}\n")
        for name, path in {"_TOPOLOGY": "cpu", "_CGROUP": ".", "_OWN_CGROUP": "own"}.items():
            self._patch.setattr(threads, name, self.folder / path)
        self._patch.setattr(threads.os, "sched_getaffinity", lambda _: cpus)
        if quota is not None:
            (self.folder / "cpu.max").write_text(quota)


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
    assert threads.usable_cores() == usable


def test_the_least_quota_on_the_way_to_the_root_counts(machine: Machine) -> None:
    machine.become(set(range(8)), EIGHT, "max 100000")
    (machine.folder / "own").write_text("3:cpu:/elsewhere\n0::/system.slice/web.service\n")
    service = machine.folder / "system.slice" / "web.service"
    service.mkdir(parents=True)
    (service / "cpu.max").write_text("300000 100000")
    assert threads.usable_cores() == 3
    (service.parent / "cpu.max").write_text("150000 100000")
    assert threads.usable_cores() == 2


@pytest.fixture
def eight(machine: Machine) -> None:
    """Eight processors, four cores."""
    machine.become(set(range(8)), EIGHT)


def test_cores_are_divided_by_what_really_runs_at_once(eight) -> None:
    # three analyses in two workers are one in each
    assert threads.intra_op_threads(Settings(max_workers=3, gunicorn_workers=2)) == 2


@pytest.mark.parametrize(
    ("changed", "advice"),
    [
        ({"max_workers": 4, "gunicorn_workers": 2}, None),
        ({"max_workers": 8, "gunicorn_workers": 2}, "MAX_WORKERS=4."),
        ({"max_workers": 2, "gunicorn_workers": 1, "intra_op_threads": 3}, "MAX_WORKERS=1."),
        ({"max_workers": 8, "gunicorn_workers": 8}, "MAX_WORKERS=4 and GUNICORN_WORKERS=4."),
    ],
)
def test_the_plan_is_told_and_too_many_threads_are_warned_of(changed, advice, eight, caplog) -> None:
    caplog.set_level("INFO")
    plan = threads.thread_plan(Settings(**changed))
    threads.log_thread_plan(plan)
    assert caplog.messages == ["thread_plan"] + ["oversubscribed"] * bool(advice)
    assert caplog.records[0].fields == plan.facts()
    assert plan.facts()["oversubscribed"] is bool(advice)
    if advice:
        assert caplog.records[1].fields["message"].endswith(advice)


@pytest.mark.parametrize(("max_workers", "fixed", "expected"), [(2, 0, 2), (4, 0, 1), (16, 0, 1), (3, 0, 1), (4, 3, 3)])
def test_cores_are_divided_among_the_analyses(max_workers: int, fixed: int, expected: int, eight) -> None:
    settings = Settings(max_workers=max_workers, intra_op_threads=fixed, gunicorn_workers=1)
    assert threads.intra_op_threads(settings) == expected
    environment = threads.thread_environment(settings)
    assert environment["OMP_NUM_THREADS"] == str(expected)
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"

from __future__ import annotations

from pathlib import Path

import pytest

from settings import Settings
from web import threads


def topology(folder: Path, cores: dict[int, tuple[int, int]]) -> Path:
    for cpu, (package, core) in cores.items():
        place = folder / f"cpu{cpu}" / "topology"
        place.mkdir(parents=True)
        (place / "physical_package_id").write_text(f"{package}\n")
        (place / "core_id").write_text(f"{core}\n")
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """(cpus, core of each, quota) → the machine that this process sees."""

    def make(cpus: set[int], cores: dict[int, tuple[int, int]], quota: str | None = None) -> None:
        monkeypatch.setattr(threads, "_TOPOLOGY", topology(tmp_path / "cpu", cores))
        monkeypatch.setattr(threads, "_CGROUP", tmp_path)
        monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: cpus)
        if quota is not None:
            (tmp_path / "cpu.max").write_text(quota)

    return make


EIGHT = {cpu: (0, cpu % 4) for cpu in range(8)}  # m5.2xlarge: eight processors, four cores


@pytest.mark.parametrize(
    ("cpus", "cores", "quota", "usable"),
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
def test_physical_cores_within_affinity_and_quota(cpus, cores, quota, usable, machine) -> None:
    machine(cpus, cores, quota)
    assert threads.usable_cores() == usable


@pytest.mark.parametrize(("max_workers", "fixed", "expected"), [(2, 0, 2), (4, 0, 1), (16, 0, 1), (3, 0, 1), (4, 3, 3)])
def test_cores_are_divided_among_the_analyses(max_workers: int, fixed: int, expected: int, machine) -> None:
    machine(set(range(8)), EIGHT)
    settings = Settings(max_workers=max_workers, intra_op_threads=fixed, gunicorn_workers=1)
    assert threads.intra_op_threads(settings) == expected
    environment = threads.thread_environment(settings)
    assert environment["OMP_NUM_THREADS"] == str(expected)
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"

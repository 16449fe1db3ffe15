from __future__ import annotations

from pathlib import Path

import pytest

from server import threads
from settings import Settings
from tests.unit.server.machines import EIGHT, Machine


@pytest.fixture
def eight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight processors, four cores."""
    Machine(tmp_path, monkeypatch).become(set(range(8)), EIGHT)


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

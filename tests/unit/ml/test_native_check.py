"""Running models natively beside a service that runs them compiled."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ml import native_check
from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from ml.native_check import NativeCheck, NativeRun


class Child:
    """Stands in for the process: writes down what it is asked for, and answers as it is told to."""

    def __init__(self, problem: str | None = None) -> None:
        self.asked: list[list[str]] = []
        self.problem = problem

    def __call__(self, command: list[str], deadline: Deadline) -> str | None:
        _, result, *names = command[3:]
        self.asked.append(names)
        facts = {"version": "2.0", "seconds": 1.0, "output": [0.5], "problem": None}
        failed = {"problem": "it broke"}
        Path(result).write_text(json.dumps({name: failed if name == "broken" else facts for name in names}))
        return self.problem


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Child:
    stand_in = Child()
    monkeypatch.setattr(native_check, "_run", stand_in)
    return stand_in


def test_what_went_well_is_not_run_again(child: Child, tmp_path: Path) -> None:
    check = NativeCheck(tmp_path)
    first = check(["one", "two"], Deadline(60))
    assert first["two"] == NativeRun("2.0", 1.0, [0.5])
    assert check(["one", "two"], Deadline(60)) == first
    assert child.asked == [["one", "two"]]


def test_what_failed_is_run_again_alone(child: Child, tmp_path: Path) -> None:
    check = NativeCheck(tmp_path)
    assert check(["one", "broken"], Deadline(60))["broken"].problem == "it broke"
    assert check(["one", "broken"], Deadline(60))["one"].problem is None
    assert child.asked == [["one", "broken"], ["broken"]]


def test_a_process_that_fails_fails_all_and_may_succeed_later(child: Child, tmp_path: Path) -> None:
    check = NativeCheck(tmp_path)
    child.problem = "it was killed"
    assert check(["one"], Deadline(60))["one"] == NativeRun(problem="it was killed")
    child.problem = None
    assert check(["one"], Deadline(60))["one"].problem is None


def test_nothing_to_run_starts_nothing(child: Child, tmp_path: Path) -> None:
    assert NativeCheck(tmp_path)([], Deadline(60)) == {}
    assert child.asked == []


def test_a_real_process_tells_why_a_model_cannot_be_loaded(tmp_path: Path) -> None:
    run = NativeCheck(tmp_path)(["sklesion"], Deadline(300))["sklesion"]
    assert "ArtifactError" in str(run.problem)
    assert "python -m ml fetch sklesion" in str(run.problem)


def test_a_real_process_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(DeadlineExceededError, match=r"0\.05 s: it stopped before 'native models'"):
        NativeCheck(tmp_path)(["sklesion"], Deadline(0.05))


def test_a_process_that_ends_badly_is_told(caplog: pytest.LogCaptureFixture) -> None:
    problem = native_check._run([sys.executable, "-c", "import sys; sys.exit('cause')"], Deadline(60))
    assert problem == "its process ended with status 1; the log has the cause"
    assert "cause" in caplog.text

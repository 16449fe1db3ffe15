"""The self-test: each part reports on itself, a failure stops no other part, and frameworks run in a child process."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml import selftest
from ml.deadline import Deadline
from ml.errors import DeadlineExceededError
from ml.models.classifier import LesionClassifier
from ml.models.encoder import Encoder
from ml.models.kinds import KindOfPhoto, read_kinds
from ml.models.loading import Models
from ml.models.phone_lesions import read_phone_lesions
from ml.models.registry import SKLESION
from ml.selftest import NativeCheck, NativeRun
from ml.values import IndexInfo, Retrieval, SimilarCase, Vectors
from tests.unit.ml.tiny_models import RecordingRuntime, tiny_encoder

INFO = IndexInfo("sample", "made by a test", True, 2, 3, 16, "2026-01-01", {})
SOFTMAX = np.full(7, 1 / 7, np.float32)


class Searcher:
    version = "1.2.3"

    def __init__(self, similarities: tuple[float, ...] = (0.9, 0.5), info: IndexInfo = INFO) -> None:
        self.info = info
        self._similarities = similarities

    def search(self, views: Vectors, k: int) -> Retrieval:
        assert views.shape == (1, 16)
        cases = [SimilarCase(str(n), s, (), {}, {}, {}, {}, (), None, None) for n, s in enumerate(self._similarities)]
        return Retrieval(tuple(cases[:k]), ())


def models(encoder: Encoder | None = None, softmax: np.ndarray = SOFTMAX) -> Models:
    runtime = RecordingRuntime(lambda images, _: np.tile(softmax, (len(images), 1)))
    encoder = encoder or tiny_encoder()
    return Models(
        encoder, LesionClassifier(SKLESION, runtime), None, (), KindOfPhoto(read_kinds()), encoder, read_phone_lesions()
    )


def failing_encoder() -> Encoder:
    def fail(_: np.ndarray) -> np.ndarray:
        raise RuntimeError("out of memory at 0x1234")

    return Encoder(tiny_encoder().spec, RecordingRuntime(fail), "")


def test_every_part_answers() -> None:
    parts = {part.name: part for part in selftest.run(models(), Searcher())}
    assert list(parts) == ["pytorch", "tensorflow", "faiss", "scin_index", "image_processing"]
    assert all(part.ok and part.version and part.ms is not None and part.ms >= 0 for part in parts.values())
    assert parts["pytorch"].model == "tiny 0.1.0"
    assert parts["tensorflow"].model == "sklesion 0.2.2"
    assert (parts["faiss"].version, parts["faiss"].model) == ("1.2.3", "3 photos × 16")
    assert parts["scin_index"].reason == "2 synthetic demonstration cases of made by a test"
    assert "opencv" in str(parts["image_processing"].version)


def test_one_failing_part_stops_no_other_and_its_cause_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        parts = {part.name: part for part in selftest.run(models(failing_encoder()), Searcher())}
    assert {name for name, part in parts.items() if not part.ok} == {"pytorch", "faiss"}
    assert parts["pytorch"].reason == "it raised an error; the log has the cause"
    assert parts["faiss"].reason == "not tried: there is no embedding to search with"
    assert "out of memory" in caplog.text


# models that are served compiled


def compiled_models(softmax: np.ndarray = SOFTMAX) -> Models:
    found = models(softmax=softmax)
    for runtime in (found.encoder.runtime, found.classifier.runtime):
        runtime.name, runtime.version = "onnxruntime", "1.5"
    return found


def native(vector: np.ndarray | None = None, problem: str | None = None) -> selftest.NativeRuns:
    own = compiled_models().encoder.embed([selftest.portrait()])[0]

    def runs(names: Sequence[str]) -> dict[str, NativeRun]:
        assert list(names) == ["tiny", "sklesion"]
        return {
            "tiny": NativeRun("2.0", 1.5, list(own if vector is None else vector)),
            "sklesion": NativeRun("2.1", 2.5, list(SOFTMAX)) if problem is None else NativeRun(problem=problem),
        }

    return runs


def test_a_part_says_what_serves_it_and_how_its_framework_did() -> None:
    parts = {part.name: part for part in selftest.run(compiled_models(), Searcher(), native())}
    assert all(part.ok for part in parts.values())
    assert parts["pytorch"].version == "2.0"
    assert parts["tensorflow"].reason == (
        "served by onnxruntime 1.5; tensorflow loaded and ran it in a process of its own (2.5 s) and agrees"
    )


def test_a_framework_that_cannot_run_fails_its_part() -> None:
    parts = {part.name: part for part in selftest.run(compiled_models(), Searcher(), native(problem="no memory"))}
    assert (parts["tensorflow"].ok, parts["pytorch"].ok) == (False, True)
    assert parts["tensorflow"].reason == "served by onnxruntime 1.5; tensorflow could not run it: no memory"


def test_a_compiled_model_that_answers_otherwise_than_the_framework_fails_its_part() -> None:
    other = np.roll(tiny_encoder().embed([selftest.portrait()])[0], 1)
    parts = {part.name: part for part in selftest.run(compiled_models(), Searcher(), native(vector=other))}
    assert parts["pytorch"].reason == "served by onnxruntime 1.5; pytorch gives another answer"
    assert not parts["pytorch"].ok


def test_models_that_run_natively_are_run_in_this_process_alone() -> None:
    def runs(names: Sequence[str]) -> dict[str, NativeRun]:
        assert list(names) == []
        return {}

    assert all(part.ok for part in selftest.run(models(), Searcher(), runs))


@pytest.mark.parametrize(
    ("softmax", "searcher", "name", "reason"),
    [
        (SOFTMAX / 2, Searcher(), "tensorflow", "the probabilities do not sum to 1"),
        (SOFTMAX, Searcher(()), "faiss", "the search found nothing"),
        (SOFTMAX, Searcher((0.1, 0.2)), "faiss", "the cases are not in order of similarity"),
        (SOFTMAX, Searcher(info=replace(INFO, cases=0)), "scin_index", "the index is empty"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure(
    softmax: np.ndarray, searcher: Searcher, name: str, reason: str
) -> None:
    failed = [part for part in selftest.run(models(softmax=softmax), searcher) if not part.ok]
    assert [(part.name, part.reason) for part in failed] == [(name, reason)]


# the child process


class Child:
    """Stands in for the child process: records what it is asked for."""

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
    monkeypatch.setattr(selftest, "_run_command", stand_in)
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
    problem = selftest._run_command([sys.executable, "-c", "import sys; sys.exit('cause')"], Deadline(60))
    assert problem == "its process ended with status 1; the log has the cause"
    assert "cause" in caplog.text

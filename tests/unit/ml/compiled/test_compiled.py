"""What runs a model: compiled files that agree and hold here, or its framework with one log line."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from ml.errors import ArtifactError
from ml.models.compiled import FOLDER, RECORD_FILE, choose, read_record
from ml.models.registry import DERM_FOUNDATION, MEDIAPIPE_FACE
from ml.models.store import ModelStore
from tests.unit.ml.compiled.compiled_folders import PROCESSOR, SPEC, VERSIONS, write


def test_what_was_compiled_and_agrees_is_used(store: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    write(store)
    for wanted in ("auto", "onnxruntime"):
        assert choose(store, SPEC, wanted) == store.folder(SPEC) / FOLDER
    assert caplog.records == []


def test_native_when_it_was_asked_for_or_on_a_gpu(store: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    write(store)
    assert choose(store, SPEC, "native") is None
    assert choose(store, SPEC, "auto", gpu=True) is None
    assert choose(store, SPEC, "onnxruntime", gpu=True) is None
    assert caplog.records == []


Make = Callable[[ModelStore], Any]
UNUSABLE: dict[str, tuple[Make, str]] = {
    "no record": (lambda s: None, "small was not compiled on this machine. Run: python -m ml prepare small"),
    "another processor": (
        lambda s: write(s, processor={**PROCESSOR, "cpu": "another"}),
        r"on another processor \(another\)",
    ),
    "other instructions": (lambda s: write(s, processor={**PROCESSOR, "instructions": "4"}), "on another processor"),
    "another version": (
        lambda s: write(s, versions={**VERSIONS, "onnxruntime": "1.4"}),
        "made with onnxruntime 1.4, and 1.5 is installed",
    ),
    "another framework version": (
        lambda s: write(s, versions={**VERSIONS, "pytorch": "1.9"}),
        "made with pytorch 1.9, and 2.0 is installed",
    ),
    "other weights": (lambda s: write(s, files={"model.bin": "0"}), "made from other files"),
    "it disagrees": (lambda s: write(s, "vectors differ"), "onnxruntime cannot run small: vectors differ"),
    "a changed file": (
        lambda s: (write(s), (s.folder(SPEC) / FOLDER / "model.onnx").write_bytes(b"Compiled")),
        "does not match its sha256",
    ),
    "a missing file": (
        lambda s: (write(s), (s.folder(SPEC) / FOLDER / "model.onnx").unlink()),
        r"model\.onnx is missing",
    ),
    "a damaged record": (lambda s: (s.folder(SPEC) / RECORD_FILE).write_text("{"), "is damaged"),
    "a record of something else": (lambda s: (s.folder(SPEC) / RECORD_FILE).write_text('{"format": 1}'), "is damaged"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_does_not_hold_runs_natively_with_one_line_or_is_refused_by_name(
    store: ModelStore, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    make, reason = UNUSABLE[case]
    make(store)
    with caplog.at_level(logging.WARNING):
        assert choose(store, SPEC, "auto") is None
    (line,) = caplog.messages
    with pytest.raises(ArtifactError, match=reason) as caught:
        choose(store, SPEC, "onnxruntime")
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith("DERMSERVE_ENGINE=onnxruntime: ")
    assert line == f"small runs natively: {caught.value.message.removeprefix('DERMSERVE_ENGINE=onnxruntime: ')}"


def test_models_that_only_run_natively(store: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    assert choose(store, DERM_FOUNDATION, "auto") is None
    assert choose(store, MEDIAPIPE_FACE, "onnxruntime") is None  # LiteRT runs it, whatever runs the others
    assert caplog.records == []
    with pytest.raises(ArtifactError, match="derm-foundation runs natively only"):
        choose(store, DERM_FOUNDATION, "onnxruntime")


def test_a_record_is_read_as_it_was_written(store: ModelStore) -> None:
    written = write(store)
    assert read_record(store.folder(SPEC)) == written
    assert not list(store.folder(SPEC).glob(".*"))


def test_a_record_of_another_format_counts_as_none(store: ModelStore) -> None:
    write(store)
    path = store.folder(SPEC) / RECORD_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 0}))
    assert read_record(store.folder(SPEC)) is None


def test_the_summary_says_what_runs_the_model(store: ModelStore) -> None:
    assert write(store).summary() == "runs by onnxruntime 1.5, which agrees (cosine distance 1.0e-07)"
    assert write(store, "vectors differ").summary() == "runs natively: vectors differ"

"""Which engine runs a model: what was prepared and holds here, what was asked for, or the native one with one line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ml.engines import Choice, choose, ms_per_photo
from ml.engines.choice import best
from ml.engines.record import FOLDER, RECORD_FILE, read_record
from ml.errors import ArtifactError
from ml.models.registry import DERM_FOUNDATION, MEDIAPIPE_FACE
from ml.models.store import ModelStore
from tests.unit.ml.engines.engine_folders import (
    HOST,
    NATIVE_TIMES,
    SPEC,
    TIMES,
    VERSIONS,
    install,
    result,
    write,
)

# what is chosen when it is prepared


def test_the_faster_of_what_agrees_is_chosen() -> None:
    assert best({"onnxruntime": result()}) == "onnxruntime"
    assert best({"onnxruntime": result(problem="it differs")}) == "native"
    assert best({}) == "native"
    slower = result(ms={1: 25.5})
    assert best({"onnxruntime": slower}) == "native"
    assert best({"onnxruntime": slower, "openvino": result()}) == "openvino"


def test_a_little_slower_than_native_is_enough_and_as_fast_as_each_other_is_onnxruntime() -> None:
    assert best({"onnxruntime": result(ms={1: 24.0})}) == "onnxruntime"
    assert best({"openvino": result(ms={1: 9.5}), "onnxruntime": result(ms={1: 10.0})}) == "onnxruntime"
    assert best({"openvino": result(ms={1: 5.0}), "onnxruntime": result(ms={1: 10.0})}) == "openvino"


def test_engines_are_compared_by_what_native_took_beside_each() -> None:
    """The machine was twice as busy while OpenVINO was tried."""
    busy = result(ms={1: 12.0}, native={1: 40.0})
    assert best({"onnxruntime": result(), "openvino": busy}) == "openvino"


# what is used when a model loads


def test_what_was_prepared_is_used(store: ModelStore) -> None:
    write(store)
    folder = store.folder(SPEC) / FOLDER / "onnxruntime"
    for wanted in ("auto", "onnxruntime"):
        assert choose(store, SPEC, wanted) == Choice("onnxruntime", folder, TIMES)


def test_native_when_it_was_asked_for_or_on_a_gpu(store: ModelStore) -> None:
    write(store)
    native = Choice("native", None, NATIVE_TIMES)
    assert choose(store, SPEC, "native") == native
    assert choose(store, SPEC, "auto", gpu=True) == native
    assert choose(store, SPEC, "onnxruntime", gpu=True) == native


def test_native_when_that_was_found_best_says_nothing(store: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    write(store, choice="native")
    assert choose(store, SPEC, "auto").engine == "native"
    assert choose(store, SPEC, "onnxruntime").engine == "onnxruntime"
    assert caplog.records == []


UNUSABLE = {
    "no record": (lambda s: None, "no engine was prepared"),
    "another processor": (lambda s: write(s, host={**HOST, "cpu": "another"}), r"on another processor \(another\)"),
    "other instructions": (lambda s: write(s, host={**HOST, "instructions": "4"}), "on another processor"),
    "another engine version": (
        lambda s: write(s, results={"onnxruntime": result(version="1.4")}),
        "made with onnxruntime 1.4, and 1.5 is installed",
    ),
    "another framework version": (lambda s: write(s, framework_version="1.9"), "compared with pytorch 1.9"),
    "other weights": (lambda s: write(s, source={"model.bin": "0"}), "made from other files"),
    "it disagrees": (
        lambda s: write(s, results={"onnxruntime": result(problem="vectors differ")}),
        "onnxruntime cannot run small: vectors differ",
    ),
    "a changed file": (
        lambda s: (write(s), (s.folder(SPEC) / FOLDER / "onnxruntime/model.onnx").write_bytes(b"Compiled")),
        "does not match its sha256",
    ),
    "a missing file": (
        lambda s: (write(s), (s.folder(SPEC) / FOLDER / "onnxruntime/model.onnx").unlink()),
        r"model\.onnx is missing",
    ),
    "a damaged record": (lambda s: (s.folder(SPEC) / RECORD_FILE).write_text("{"), "is damaged"),
    "a record of something else": (lambda s: (s.folder(SPEC) / RECORD_FILE).write_text('{"format": 1}'), "is damaged"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_does_not_hold_runs_natively_with_one_line_or_is_refused_by_name(
    store: ModelStore,
    case: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make, reason = UNUSABLE[case]
    make(store)
    with caplog.at_level(logging.WARNING):
        assert choose(store, SPEC, "auto") == Choice("native")
    (line,) = caplog.messages
    assert line.startswith("small runs natively: ")
    with pytest.raises(ArtifactError, match=reason) as caught:
        choose(store, SPEC, "onnxruntime")
    assert caught.value.message.startswith("DERMSERVE_ENGINE=onnxruntime: ")
    assert "\n" not in caught.value.message
    assert caught.value.message.removeprefix("DERMSERVE_ENGINE=onnxruntime: ") in line or "disagrees" in case


def test_a_missing_engine_says_how_to_install_it(store: ModelStore) -> None:
    write(store)
    with pytest.raises(ArtifactError, match=r"pip install -r requirements-openvino\.txt && python -m ml prepare"):
        choose(store, SPEC, "openvino")


def test_an_engine_that_was_not_tried_is_refused(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store)
    install(monkeypatch, {**VERSIONS, "openvino": "3.0"})
    assert choose(store, SPEC, "auto").engine == "onnxruntime"
    with pytest.raises(ArtifactError, match="not prepared for openvino"):
        choose(store, SPEC, "openvino")


def test_models_that_only_run_natively(store: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    assert choose(store, DERM_FOUNDATION, "auto") == Choice("native")
    assert choose(store, MEDIAPIPE_FACE, "onnxruntime") == Choice("native")  # LiteRT is its own engine
    assert caplog.records == []
    with pytest.raises(ArtifactError, match="derm-foundation runs natively only"):
        choose(store, DERM_FOUNDATION, "onnxruntime")


# what was measured


def test_times_by_batch_size(store: ModelStore) -> None:
    assert ms_per_photo(store, SPEC, "onnxruntime") == {}
    write(store)
    assert ms_per_photo(store, SPEC, "onnxruntime") == TIMES
    assert ms_per_photo(store, SPEC, "native") == NATIVE_TIMES
    assert ms_per_photo(store, SPEC, "openvino") == {}
    write(store, host={**HOST, "cpu": "another"})
    assert ms_per_photo(store, SPEC, "onnxruntime") == ms_per_photo(store, SPEC, "native") == {}


def test_a_record_is_read_as_it_was_written(store: ModelStore) -> None:
    written = write(store)
    assert read_record(store.folder(SPEC)) == written
    assert not list(Path(store.folder(SPEC)).glob(".*"))

"""Preparing without the frameworks: what is recorded when something goes wrong, and when it is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.engines import choose, prepare
from ml.engines.prepare import StepError
from ml.engines.record import FOLDER, read_record
from ml.errors import ArtifactError
from ml.models.registry import DERM_FOUNDATION
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from tests.unit.ml.engines.engine_folders import SPEC, VERSIONS, install, result, write


class FailingConverter:
    """Stands in for the conversion to ONNX."""

    def __init__(self) -> None:
        self.tried = 0

    def __call__(self, spec: ModelSpec, served: Path, onnx: Path) -> None:
        assert served.read_bytes() == b"weights"
        self.tried += 1
        raise StepError("exit status 1: Unsupported operator")


def test_a_failed_conversion_is_recorded_and_the_model_runs_natively(store: ModelStore) -> None:
    prepared = prepare.prepare(store, SPEC, convert=FailingConverter())
    assert prepared.made
    assert prepared.record.choice == "native"
    assert prepared.record.results["onnxruntime"].problem == "not converted: exit status 1: Unsupported operator"
    assert "Unsupported operator" in prepared.record.summary()
    assert read_record(store.folder(SPEC)) == prepared.record
    assert choose(store, SPEC, "auto").engine == "native"
    with pytest.raises(ArtifactError, match="Unsupported operator"):
        choose(store, SPEC, "onnxruntime")


def test_what_failed_is_tried_again_when_something_has_changed(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = FailingConverter()
    prepare.prepare(store, SPEC, convert=convert)
    assert not prepare.prepare(store, SPEC, convert=convert).made
    assert convert.tried == 1
    prepare.prepare(store, SPEC, convert=convert, force=True)
    install(monkeypatch, {**VERSIONS, "onnxruntime": "1.6"})
    prepare.prepare(store, SPEC, convert=convert)
    install(monkeypatch, {**VERSIONS, "onnxruntime": "1.6", "openvino": "3.0"})
    assert set(prepare.prepare(store, SPEC, convert=convert).record.results) == {"onnxruntime", "openvino"}
    assert convert.tried == 4


def test_what_is_current_is_left_alone(store: ModelStore) -> None:
    written = write(store)
    convert = FailingConverter()
    assert prepare.prepare(store, SPEC, convert=convert) == prepare.Prepared(written, made=False)
    assert convert.tried == 0


def test_an_engine_that_was_since_removed_matters_only_if_it_was_chosen(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenVINO is not installed here; whoever made the record had it."""
    other = result(version="3.0")
    both = write(store).results | {"openvino": other}
    write(store, results=both)
    assert not prepare.prepare(store, SPEC, convert=FailingConverter()).made
    write(store, results=both, choice="openvino")
    assert prepare.prepare(store, SPEC, convert=FailingConverter()).made


def test_damaged_files_are_made_again_and_nothing_of_the_old_stays(store: ModelStore) -> None:
    write(store)
    compiled = store.folder(SPEC) / FOLDER / "onnxruntime" / "model.onnx"
    compiled.write_bytes(b"damaged")
    assert prepare.prepare(store, SPEC, convert=FailingConverter()).made
    assert not compiled.exists()
    assert not list(store.folder(SPEC).glob(".preparing-*"))


def test_an_interrupted_preparation_leaves_no_record_that_names_missing_files(store: ModelStore) -> None:
    write(store)

    def interrupted(spec: ModelSpec, served: Path, onnx: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare.prepare(store, SPEC, convert=interrupted, force=True)
    assert choose(store, SPEC, "auto").engine == "onnxruntime"
    assert not list(store.folder(SPEC).glob(".preparing-*"))


def test_a_step_that_takes_too_long_is_ended(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "STEP_LIMIT_S", 0.01)
    record = prepare.prepare(store, SPEC).record
    assert record.results["onnxruntime"].problem == "not converted: it took more than 0.01 s"


def test_a_model_that_runs_natively_only_is_refused(store: ModelStore) -> None:
    with pytest.raises(ArtifactError, match="derm-foundation runs natively only"):
        prepare.prepare(store, DERM_FOUNDATION)


def test_a_model_that_is_not_there_is_named(store: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="python -m ml fetch small"):
        prepare.prepare(ModelStore(tmp_path / "empty"), SPEC)

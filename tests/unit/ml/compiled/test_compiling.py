"""Compiling without the frameworks: what is recorded when something goes wrong, and when it is tried again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ml.errors import ArtifactError
from ml.models import compiling
from ml.models.compiled import FOLDER, choose, read_record
from ml.models.compiling import compile_model
from ml.models.registry import DERM_FOUNDATION
from ml.models.store import ModelStore
from tests.unit.ml.compiled.compiled_folders import SPEC, VERSIONS, install, write

FAILING = (sys.executable, "-c", "import sys; sys.exit('Unsupported operator')")
#: what the real child does, in short: it leaves files and says what it found
WORKING = (
    sys.executable,
    "-c",
    "import sys, pathlib; name, served, folder, result = sys.argv[1:]\n"
    "assert name == 'small' and pathlib.Path(served).read_bytes() == b'weights'\n"
    "pathlib.Path(folder, 'model.onnx').write_bytes(b'new')\n"
    "pathlib.Path(result).write_text('[{\"cosine distance\": 1e-08}, null]')",
)
DISAGREEING = (*WORKING[:2], WORKING[2].replace("null", '"vectors differ"'))


def test_what_was_compiled_is_recorded_and_used(store: ModelStore) -> None:
    record, made = compile_model(store, SPEC, child=WORKING)
    assert made
    assert record.problem is None
    assert list(record.files) == [f"{FOLDER}/model.onnx"]
    assert read_record(store.folder(SPEC)) == record
    assert choose(store, SPEC, "onnxruntime") == store.folder(SPEC) / FOLDER
    assert not list(store.folder(SPEC).glob(".compiling-*"))


@pytest.mark.parametrize(
    ("child", "problem"),
    [
        (FAILING, "it could not be compiled: exit status 1: Unsupported operator"),
        ((sys.executable, "-c", ""), "it could not be compiled: exit status 0: it said nothing"),
        (DISAGREEING, "vectors differ"),
    ],
)
def test_what_cannot_be_used_is_recorded_with_its_reason_and_no_files(
    store: ModelStore, child: tuple[str, ...], problem: str
) -> None:
    write(store)
    record, made = compile_model(store, SPEC, force=True, child=child)
    assert made
    assert record.problem == problem
    assert record.files == {}
    assert list((store.folder(SPEC) / FOLDER).iterdir()) == []
    assert choose(store, SPEC, "auto") is None
    with pytest.raises(ArtifactError, match=problem):
        choose(store, SPEC, "onnxruntime")


def test_what_failed_is_tried_again_when_something_has_changed(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compile_model(store, SPEC, child=FAILING)[1]
    assert not compile_model(store, SPEC, child=WORKING)[1]
    install(monkeypatch, {**VERSIONS, "onnxruntime": "1.6"})
    record, made = compile_model(store, SPEC, child=WORKING)
    assert (made, record.problem) == (True, None)


def test_what_is_current_is_left_alone(store: ModelStore) -> None:
    written = write(store)
    assert compile_model(store, SPEC, child=FAILING) == (written, False)


def test_damaged_files_are_made_again(store: ModelStore) -> None:
    write(store)
    compiled = store.folder(SPEC) / FOLDER / "model.onnx"
    compiled.write_bytes(b"damaged")
    assert compile_model(store, SPEC, child=WORKING)[1]
    assert compiled.read_bytes() == b"new"


def test_an_interruption_leaves_what_was_there(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compiling.subprocess, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        compile_model(store, SPEC, force=True)
    assert choose(store, SPEC, "auto") is not None
    assert not list(store.folder(SPEC).glob(".compiling-*"))


def test_a_child_that_takes_too_long_is_ended(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "LIMIT_S", 0.01)
    record, _ = compile_model(store, SPEC)
    assert record.problem == "it could not be compiled: it took more than 0.01 s"


def test_a_model_that_runs_natively_only_is_refused(store: ModelStore) -> None:
    with pytest.raises(ArtifactError, match="derm-foundation runs natively only"):
        compile_model(store, DERM_FOUNDATION)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="python -m ml fetch small"):
        compile_model(ModelStore(tmp_path / "empty"), SPEC)

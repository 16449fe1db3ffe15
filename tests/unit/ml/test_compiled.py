"""Compiled models, without the frameworks: what is recorded, when it is used or made again, and what it depends on."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from ml.errors import ArtifactError
from ml.models import compiled
from ml.models.compiled import (
    RECORD_FILE,
    CompiledRecord,
    Origin,
    choose,
    compile_model,
    describe_processor,
    installed_version,
    origin_here,
    read_record,
)
from ml.models.registry import DERM_FOUNDATION, EFFICIENTNET_LITE0, MEDIAPIPE_FACE
from ml.models.spec import ModelSpec
from ml.models.store import COMPILED, ModelStore
from storage.base import sha256_file

SPEC: ModelSpec = replace(
    EFFICIENTNET_LITE0, name="small", recipe=None, served="model.bin", needed=("model.bin",), source=None
)
PROCESSOR = {"machine": "x86_64", "cpu": "a processor", "instructions": "0123"}
VERSIONS: Mapping[str, str | None] = {"pytorch": "2.0", "tensorflow": "2.1", "onnxruntime": "1.5"}


def install(monkeypatch: pytest.MonkeyPatch, versions: Mapping[str, str | None]) -> None:
    """Let these versions be the installed ones."""
    monkeypatch.setattr(compiled, "installed_version", versions.__getitem__)


def here(store: ModelStore) -> Origin:
    return origin_here(SPEC, store.manifest(SPEC).files)


def write(store: ModelStore, problem: str | None = None, **origin: Any) -> CompiledRecord:
    """Compiled files of a few bytes, and a record of them; ``origin``: what it was made from instead."""
    folder = store.folder(SPEC) / COMPILED
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(b"compiled")
    files = {"model.onnx": sha256_file(folder / "model.onnx")}
    record = CompiledRecord({**here(store), **origin}, problem, {"cosine distance": 1e-7}, files)
    (folder / RECORD_FILE).write_text(json.dumps(asdict(record)))
    return record


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is the same wherever these tests run."""
    monkeypatch.setattr(compiled, "describe_processor", lambda: dict(PROCESSOR))
    install(monkeypatch, VERSIONS)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store that holds SPEC, and nothing compiled."""
    (tmp_path / "origin").mkdir()
    (tmp_path / "origin" / "model.bin").write_bytes(b"weights")
    store = ModelStore(tmp_path / "models")
    store.fetch(SPEC, str(tmp_path / "origin"))
    return store


# what runs a model


def test_what_was_compiled_and_agrees_is_used(store: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    write(store)
    for wanted in ("auto", "onnxruntime"):
        assert choose(store, SPEC, wanted) == store.folder(SPEC) / COMPILED
    assert caplog.records == []


def test_native_when_it_was_asked_for_or_on_a_gpu(store: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    write(store)
    assert choose(store, SPEC, "native") is None
    assert choose(store, SPEC, "auto", gpu=True) is None
    assert choose(store, SPEC, "onnxruntime", gpu=True) is None
    assert caplog.records == []


def damage(store: ModelStore, text: str) -> None:
    write(store)
    (store.folder(SPEC) / COMPILED / RECORD_FILE).write_text(text)


Make = Callable[[ModelStore], Any]
UNUSABLE: dict[str, tuple[Make, str]] = {
    "no record": (lambda s: None, "small was not compiled on this machine. Run: python -m ml prepare small"),
    "another processor": (
        lambda s: write(s, processor={**PROCESSOR, "cpu": "another"}),
        "cpu was another and is a processor",
    ),
    "other instructions": (
        lambda s: write(s, processor={**PROCESSOR, "instructions": "4"}),
        "instructions was 4 and is 0123",
    ),
    "another version": (
        lambda s: write(s, versions={**VERSIONS, "onnxruntime": "1.4"}),
        "compiled for something else: onnxruntime was 1.4 and is 1.5",
    ),
    "another framework version": (
        lambda s: write(s, versions={**VERSIONS, "pytorch": "1.9"}),
        "pytorch was 1.9 and is 2.0",
    ),
    "other weights": (lambda s: write(s, files={"model.bin": "0"}), r"model\.bin was 0 and is \w+"),
    "a file more": (lambda s: write(s, files={**here(s)["files"], "old": "0"}), "old was 0 and is None"),
    "it disagrees": (lambda s: write(s, "vectors differ"), "onnxruntime cannot run small: vectors differ"),
    "a changed file": (
        lambda s: (write(s), (s.folder(SPEC) / COMPILED / "model.onnx").write_bytes(b"Compiled")),
        "does not match its sha256",
    ),
    "a missing file": (
        lambda s: (write(s), (s.folder(SPEC) / COMPILED / "model.onnx").unlink()),
        r"model\.onnx is missing",
    ),
    "a damaged record": (lambda s: damage(s, "{"), "was not compiled on this machine"),
    "a record of something else": (
        lambda s: damage(s, '{"format": 1}'),
        "was not compiled on this machine",
    ),
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


def test_the_summary_says_what_runs_the_model(store: ModelStore) -> None:
    assert write(store).summary() == "runs by onnxruntime 1.5, which agrees (cosine distance 1.0e-07)"
    assert write(store, "vectors differ").summary() == "runs natively: vectors differ"


# compiling

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
#: the same, given what was compiled for another processor
REUSING = (
    *WORKING[:2],
    WORKING[2]
    .replace("folder, result =", "folder, before, result =")
    .replace("assert ", "assert pathlib.Path(before, 'model.onnx').read_bytes() == b'compiled' and "),
)
DISAGREEING = (*WORKING[:2], WORKING[2].replace("null", '"vectors differ"'))


def test_what_was_compiled_is_recorded_and_used(store: ModelStore) -> None:
    record, made = compile_model(store, SPEC, child=WORKING)
    assert made
    assert record.problem is None
    assert list(record.files) == ["model.onnx"]
    assert read_record(store.folder(SPEC) / COMPILED) == record
    assert choose(store, SPEC, "onnxruntime") == store.folder(SPEC) / COMPILED
    assert not list(store.folder(SPEC).glob(".compiling-*"))


@pytest.mark.parametrize(
    ("child", "problem"),
    [
        (FAILING, "it could not be compiled: exit status 1: Unsupported operator"),
        ((sys.executable, "-c", ""), "it could not be compiled: exit status 0: no error was printed"),
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
    assert [path.name for path in (store.folder(SPEC) / COMPILED).iterdir()] == [RECORD_FILE]
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
    model = store.folder(SPEC) / COMPILED / "model.onnx"
    model.write_bytes(b"damaged")
    assert compile_model(store, SPEC, child=WORKING)[1]
    assert model.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("origin", "reused"),
    [({"processor": {**PROCESSOR, "cpu": "another"}}, True), ({"versions": {**VERSIONS, "pytorch": "1.9"}}, False)],
)
def test_what_was_converted_is_used_for_another_processor_only(
    store: ModelStore, origin: dict[str, Any], reused: bool
) -> None:
    write(store, **origin)
    record, made = compile_model(store, SPEC, child=REUSING if reused else WORKING)
    assert (made, record.problem) == (True, None)
    assert choose(store, SPEC, "onnxruntime") == store.folder(SPEC) / COMPILED


def test_a_damaged_file_of_another_processor_is_not_used(store: ModelStore) -> None:
    write(store, processor={**PROCESSOR, "cpu": "another"})
    (store.folder(SPEC) / COMPILED / "model.onnx").write_bytes(b"damaged")
    assert compile_model(store, SPEC, child=WORKING)[0].problem is None


def test_an_interruption_leaves_what_was_there(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compiled.subprocess, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        compile_model(store, SPEC, force=True)
    assert choose(store, SPEC, "auto") is not None
    assert not list(store.folder(SPEC).glob(".compiling-*"))


def test_a_child_that_takes_too_long_is_ended(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "LIMIT_S", 0.01)
    record, _ = compile_model(store, SPEC)
    assert record.problem == "it could not be compiled: it took more than 0.01 s"


def test_a_model_that_runs_natively_only_is_refused(store: ModelStore) -> None:
    with pytest.raises(ArtifactError, match="derm-foundation runs natively only"):
        compile_model(store, DERM_FOUNDATION)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="python -m ml fetch small"):
        compile_model(ModelStore(tmp_path / "empty"), SPEC)


# the processor and the packages

X86 = (
    "processor\t: 0\nmodel name\t: Some CPU @ 2.5GHz\nflags\t\t: fpu avx2 avx512f\n\nprocessor\t: 1\nmodel name\t: x\n"
)
ARM = "processor\t: 0\nFeatures\t: fp asimd\n"


def described(folder: Path, text: str) -> dict[str, str]:
    (folder / "cpuinfo").write_text(text)
    return describe_processor(folder / "cpuinfo")


def test_the_processor_and_its_instructions_count_and_the_order_of_flags_does_not(tmp_path: Path) -> None:
    here = described(tmp_path, X86)
    assert here["cpu"] == "Some CPU @ 2.5GHz"
    assert described(tmp_path, X86.replace("avx2 avx512f", "avx512f avx2")) == here
    assert described(tmp_path, X86.replace(" avx512f", ""))["instructions"] != here["instructions"]
    arm = described(tmp_path, ARM)["instructions"]
    assert described(tmp_path, ARM.replace("asimd", "asimd sve"))["instructions"] != arm


def test_without_the_kernels_file_there_is_still_an_answer(tmp_path: Path) -> None:
    assert set(describe_processor(tmp_path / "none")) == {"machine", "cpu", "instructions"}


def test_versions_are_told_without_importing() -> None:
    assert installed_version("pytorch")
    assert installed_version("tensorflow")
    assert installed_version("onnxruntime")

"""A model's folder with compiled engines that are a few bytes, for tests of what is made of their record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ml.engines import choice, prepare, record
from ml.engines.record import FOLDER, EngineResult, EnginesRecord, served_digests, write_record
from ml.models.registry import EFFICIENTNET_LITE0
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from storage.base import sha256_file

SPEC: ModelSpec = replace(
    EFFICIENTNET_LITE0, name="small", recipe=None, served="model.bin", needed=("model.bin",), source=None
)
HOST = {"machine": "x86_64", "cpu": "a processor", "instructions": "0123"}
VERSIONS: Mapping[str, str | None] = {"pytorch": "2.0", "tensorflow": "2.1", "onnxruntime": "1.5", "openvino": None}
TIMES = {1: 10.0, 2: 9.0, 4: 8.0, 8: 8.0}
NATIVE_TIMES = {1: 20.0, 2: 18.0, 4: 18.0, 8: 18.0}


def install(monkeypatch: pytest.MonkeyPatch, versions: Mapping[str, str | None]) -> None:
    """Let these versions be the installed ones."""
    for module in (record, prepare, choice):
        monkeypatch.setattr(module, "installed_version", versions.__getitem__)


def result(
    version: str = "1.5",
    problem: str | None = None,
    ms: Mapping[int, float] = TIMES,
    native: Mapping[int, float] = NATIVE_TIMES,
    files: Mapping[str, str] | None = None,
) -> EngineResult:
    return EngineResult(version, problem, files or {}, {"cosine distance": 1e-7}, dict(ms), dict(native))


def write(store: ModelStore, choice: str = "onnxruntime", **changes: object) -> EnginesRecord:
    """Compiled files of a few bytes for ONNX Runtime, and a record of them."""
    folder = store.folder(SPEC)
    compiled = folder / FOLDER / "onnxruntime" / "model.onnx"
    compiled.parent.mkdir(parents=True, exist_ok=True)
    compiled.write_bytes(b"compiled")
    files = {compiled.relative_to(folder).as_posix(): sha256_file(compiled)}
    found = EnginesRecord(
        source=served_digests(SPEC, store.manifest(SPEC).files),
        host=dict(HOST),
        framework_version="2.0",
        threads=1,
        made_at="2026-01-01T00:00:00+00:00",
        results={"onnxruntime": result(files=files)},
        choice=choice,
    )
    found = replace(found, **changes)  # type: ignore[arg-type]
    write_record(folder, found)
    return found

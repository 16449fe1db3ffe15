"""A model's folder with compiled files of a few bytes, for tests of what is made of their record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ml.models import compiled
from ml.models.compiled import FOLDER, CompiledRecord, Origin, origin_here, write_record
from ml.models.registry import EFFICIENTNET_LITE0
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
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
    folder = store.folder(SPEC)
    model = folder / FOLDER / "model.onnx"
    model.parent.mkdir(parents=True, exist_ok=True)
    model.write_bytes(b"compiled")
    files = {model.relative_to(folder).as_posix(): sha256_file(model)}
    record = CompiledRecord(
        replace(here(store), **origin), "2026-01-01T00:00:00+00:00", problem, {"cosine distance": 1e-7}, files
    )
    write_record(folder, record)
    return record

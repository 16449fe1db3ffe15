"""A machine and a model that are the same wherever these tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.engines import prepare, record
from ml.models.store import ModelStore
from tests.unit.ml.engines.engine_folders import HOST, SPEC, VERSIONS, install


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """An imagined machine, on which OpenVINO is not installed."""
    for module in (record, prepare):
        monkeypatch.setattr(module, "describe_host", lambda: dict(HOST))
    install(monkeypatch, VERSIONS)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store that holds SPEC, and nothing compiled."""
    (tmp_path / "origin").mkdir()
    (tmp_path / "origin" / "model.bin").write_bytes(b"weights")
    store = ModelStore(tmp_path / "models")
    store.fetch(SPEC, str(tmp_path / "origin"))
    return store

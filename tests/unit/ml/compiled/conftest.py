"""A machine and a model that are the same wherever these tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.models import compiled
from ml.models.store import ModelStore
from tests.unit.ml.compiled.compiled_folders import PROCESSOR, SPEC, VERSIONS, install


@pytest.fixture(autouse=True)
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An imagined one, except where the real one is what is tested."""
    if request.module.__name__.endswith("test_processor"):
        return
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

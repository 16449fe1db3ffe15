"""Fetching as its users do it: a command of its own, in a process where nothing was imported before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml.models.compiled import ONNXRUNTIME, choose
from ml.models.registry import EFFICIENTNET_LITE0, SKLESION
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore


@pytest.mark.models
@pytest.mark.parametrize(
    ("spec", "engine"),
    [(EFFICIENTNET_LITE0, "auto"), (SKLESION, "native")],
    ids=["encoder-and-compiled", "classifier"],
)
def test_a_model_is_fetched_from_a_mirror_and_converted(
    models_dir: Path, tmp_path: Path, spec: ModelSpec, engine: str
) -> None:
    mirror = ModelStore(models_dir).folder(spec) / "source"
    command = [sys.executable, "-m", "ml", "fetch", spec.name, "--source", str(mirror), "--models", str(tmp_path)]
    environment = os.environ | {"DERMSERVE_ENGINE": engine}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert "fetched and checked" in done.stdout
    store = ModelStore(tmp_path)
    if engine == "native":
        assert not store.compiled(spec).exists()
    else:
        assert "runs by onnxruntime 1." in done.stdout
        assert choose(store, spec, ONNXRUNTIME) == store.compiled(spec)
    made, kept = store.verify(spec), ModelStore(models_dir).manifest(spec)
    assert made.fingerprint == kept.fingerprint
    assert made.golden == pytest.approx(kept.golden, abs=1e-5)

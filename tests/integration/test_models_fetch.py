"""Fetching as its users do it: a command of its own, in a process where nothing was imported before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ml.engines import choose
from ml.models.registry import EFFICIENTNET_LITE0, SKLESION
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore


@pytest.mark.models
@pytest.mark.parametrize(
    ("spec", "engine"),
    [(EFFICIENTNET_LITE0, "onnxruntime"), (SKLESION, "native")],
    ids=["encoder-and-engine", "classifier"],
)
def test_a_model_is_fetched_from_a_mirror_and_converted(
    models_dir: Path, tmp_path: Path, spec: ModelSpec, engine: str
) -> None:
    mirror = ModelStore(models_dir).folder(spec) / "source"
    arguments = ["fetch", spec.name, "--source", str(mirror), "--models", str(tmp_path), "--engine", engine]
    done = subprocess.run([sys.executable, "-m", "ml", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert "fetched and checked" in done.stdout
    prepared = choose(ModelStore(tmp_path), spec, engine)
    assert prepared.engine == engine
    assert (f"{engine} 1." in done.stdout) == (engine != "native")
    made, kept = ModelStore(tmp_path).verify(spec), ModelStore(models_dir).manifest(spec)
    assert made.fingerprint == kept.fingerprint
    assert made.golden == pytest.approx(kept.golden, abs=1e-5)

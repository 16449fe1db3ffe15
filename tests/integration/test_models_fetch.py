"""Fetching as its users do it: a command of its own, in a process where nothing was imported before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ml.registry import EFFICIENTNET_LITE0, SKLESION
from ml.spec import ModelSpec
from ml.store import ModelStore


@pytest.mark.models
@pytest.mark.parametrize("spec", [EFFICIENTNET_LITE0, SKLESION], ids=lambda spec: spec.name)
def test_a_model_is_fetched_from_a_mirror_and_converted(models_dir: Path, tmp_path: Path, spec: ModelSpec) -> None:
    mirror = ModelStore(models_dir).folder(spec) / "source"
    command = [sys.executable, "-m", "ml", "fetch", spec.name, "--source", str(mirror), "--models", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert "fetched and checked" in done.stdout
    made, kept = ModelStore(tmp_path).verify(spec), ModelStore(models_dir).manifest(spec)
    assert made.fingerprint == kept.fingerprint
    assert made.golden == pytest.approx(kept.golden, abs=1e-5)

"""What is checked before any worker starts. No framework is imported in this process: workers are forked from it."""

from __future__ import annotations

import subprocess
import sys

from ml.analysis.routing import read_kinds
from ml.errors import ArtifactError
from ml.models.loading import check_models
from ml.models.registry import MEDIAPIPE_FACE, find
from ml.models.store import ModelStore
from scin.index.manifest import check_encoder, read_manifest, verify_files
from settings import Settings
from web.index_source import fetch_index

_GPU_PROBE = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 3)"
_GPU_PROBE_S = 120


class BootError(Exception):
    """The service cannot start. The message is one line that says what to do."""


def check_boot(settings: Settings) -> None:
    """Raise BootError if models, index, dimensions or device are not what ``settings`` ask for."""
    if settings.use_mock_services or not settings.ml_available:
        return
    try:
        _check_models(settings)
        _check_index(settings)
    except ArtifactError as error:
        raise BootError(error.message) from error
    if settings.enable_gpu:
        _check_gpu()


def _check_models(settings: Settings) -> None:
    encoder = find(settings.encoder, "encoder")
    find(settings.classifier, "classifier")
    if encoder.output_dim != settings.faiss_dimension:
        raise BootError(
            f"FAISS_DIMENSION={settings.faiss_dimension}, but the encoder {encoder.name} has {encoder.output_dim} "
            f"dimensions. Set FAISS_DIMENSION={encoder.output_dim}, or choose another DERMSERVE_ENCODER."
        )
    faces = [MEDIAPIPE_FACE.name] if settings.faces else []
    names = dict.fromkeys([settings.encoder, settings.classifier, *faces, read_kinds().encoder])
    check_models(settings.models_dir, names, engine=settings.engine, gpu=settings.enable_gpu)


def _check_index(settings: Settings) -> None:
    folder = fetch_index(settings)
    manifest = read_manifest(folder)
    fingerprint = ModelStore(settings.models_dir).manifest(find(settings.encoder)).fingerprint
    check_encoder(folder, manifest, fingerprint, settings.faiss_dimension)
    verify_files(folder, manifest)


def _check_gpu() -> None:
    """Ask a process of its own: once torch has run here, workers forked from here would hang."""
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _GPU_PROBE], capture_output=True, timeout=_GPU_PROBE_S, check=False
        )
        visible = probe.returncode == 0
    except subprocess.TimeoutExpired:
        visible = False
    if not visible:
        raise BootError(
            "ENABLE_GPU=true, but torch sees no GPU. Install the driver and torch's GPU build, or set ENABLE_GPU=false."
        )

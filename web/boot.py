"""Checks before any worker starts, and the line that says that the service is ready.

This module imports no ML framework, because workers are forked from this process.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ml.errors import ArtifactError
from ml.models.loading import check_models, models_in_use
from ml.models.registry import find
from ml.models.store import ModelStore
from scin.index.manifest import MANIFEST_FILE, check_encoder, read_manifest, verify_files
from settings import Settings
from storage import StorageError, open_storage
from storage.base import download

_GPU_PROBE = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 3)"
_GPU_PROBE_S = 120
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on


class BootError(Exception):
    """The service cannot start. The message is one line that says what to do."""


def check_boot(settings: Settings) -> None:
    """Raise BootError if the models, the index, the dimensions or the device do not match ``settings``."""
    if settings.use_mock_services or not settings.ml_available:
        return
    try:
        _check_models(settings)
        _check_index(settings)
    except ArtifactError as error:
        raise BootError(error.message) from error
    if settings.enable_gpu:
        _check_gpu()


def fetch_index(settings: Settings) -> Path:
    """The folder of the index. A remote index is downloaded first, unless it is already there.

    A failed download leaves nothing behind. Raises ArtifactError if the download fails.
    """
    folder = settings.index_folder
    if not settings.index_is_remote or (folder / MANIFEST_FILE).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".fetching-"))
    try:
        store = open_storage(settings.index)
        download(store, MANIFEST_FILE, work / MANIFEST_FILE)
        for name, digest in read_manifest(work).files.items():
            download(store, name, work / name, digest)
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    except StorageError as error:
        raise ArtifactError(f"The index {settings.index} could not be fetched: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def announce(settings: Settings, host: str, port: int) -> None:
    """Write ``ready_line`` to stderr."""
    sys.stderr.write(ready_line(settings, host, port) + "\n")
    sys.stderr.flush()


def ready_line(settings: Settings, host: str, port: int) -> str:
    """One line with the service's address and a curl command to try it, with a sample photo if there is one.

    The command states the kind of photo, because the service does not recognise every generated photo as skin."""
    host = _ANYWHERE.get(host, host)
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    photo = min((settings.var / "sample" / "dataset" / "images").glob("*.png"), default=None)
    if photo is None:
        arguments = """-X POST -H 'Content-Type: application/json' -d '{"test": "ml_capability"}'"""
    else:
        arguments = f"-F modality=close_up -F {shlex.quote(f'image=@{photo}')}"
    return f"DermServe is ready at {base} — try: curl {arguments} {base}/api/analyze/skin"


def _check_models(settings: Settings) -> None:
    encoder = find(settings.encoder, "encoder")
    find(settings.classifier, "classifier")
    if encoder.output_dim != settings.faiss_dimension:
        raise BootError(
            f"FAISS_DIMENSION={settings.faiss_dimension}, but the encoder {encoder.name} has {encoder.output_dim} "
            f"dimensions. Set FAISS_DIMENSION={encoder.output_dim}, or choose another DERMSERVE_ENCODER."
        )
    names = models_in_use(settings.encoder, settings.classifier, faces=settings.faces)
    check_models(settings.models_dir, names, engine=settings.engine, gpu=settings.enable_gpu)


def _check_index(settings: Settings) -> None:
    folder = fetch_index(settings)
    manifest = read_manifest(folder)
    fingerprint = ModelStore(settings.models_dir).manifest(find(settings.encoder)).fingerprint
    check_encoder(folder, manifest, fingerprint, settings.faiss_dimension)
    verify_files(folder, manifest)


def _check_gpu() -> None:
    """Raise BootError if torch finds no GPU. A child process asks, because torch must not run before the fork."""
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

"""Checks before any worker starts, and the line that says that the service is ready.

This module imports no ML framework, because workers are forked from this process.
"""

from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ml.errors import ArtifactError
from ml.models.compiled import NATIVE, compile_model
from ml.models.loading import check_models, models_in_use
from ml.models.registry import find
from ml.models.spec import ModelSpec
from ml.models.store import ModelStore
from scin.index.choose import choose_index, encoder_of
from scin.index.manifest import MANIFEST_FILE, Manifest, check_encoder, read_manifest, verify_files
from scin.index.pinned import PinnedIndex, pin_index
from settings import AUTO, Settings
from storage import StorageError, open_storage
from storage.base import download
from web.logs import log_event

_LOG = logging.getLogger("dermserve.boot")
_GPU_PROBE = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 3)"
_GPU_PROBE_S = 120
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on


class BootError(Exception):
    """The service cannot start. The message is one line that says what to do."""


@dataclass(frozen=True)
class Generation:
    """What the workers of one start or reload serve. Implements web.process.Generation.

    ``settings`` name the folder of the index and its encoder instead of ``auto``.
    """

    settings: Settings
    index: PinnedIndex | None = None

    def release(self) -> None:
        """Call this when the last of its workers has ended."""
        if self.index is not None:
            self.index.release()


def begin_generation(settings: Settings) -> Generation:
    """Check everything, and keep the index unchanged for the workers. Raises BootError."""
    chosen = check_boot(settings)
    if chosen.use_mock_services or not chosen.ml_available:
        return Generation(chosen)
    try:
        pinned = pin_index(chosen.index_folder)
    except ArtifactError as error:
        raise BootError(error.message) from error
    manifest = read_manifest(pinned.folder)
    own = chosen.encoder == encoder_of(chosen.index_folder, manifest)
    encoder = encoder_of(pinned.folder, manifest) if own else chosen.encoder
    log_event(_LOG, "index", folder=str(chosen.index_folder), cases=manifest.cases, encoder=manifest.encoder)
    return Generation(chosen.model_copy(update={"index": str(pinned.folder), "encoder": encoder}), pinned)


def check_boot(settings: Settings) -> Settings:
    """Raise BootError if the models, the index, the dimensions or the device do not match ``settings``. Returns the
    settings with what is served instead of ``auto``."""
    if settings.use_mock_services or not settings.ml_available:
        return settings
    try:
        _check_models(settings, settings.building_encoder)  # first: an index cannot be built without them
        chosen = served(settings)
        _encoder(chosen, chosen.encoder)
        _check_models(chosen, chosen.encoder)
        verify_files(chosen.index_folder, _check_pair(chosen, chosen.index_folder))
    except ArtifactError as error:
        raise BootError(error.message) from error
    if settings.enable_gpu:
        _check_gpu()
    return chosen


def served(settings: Settings) -> Settings:
    """``settings`` with the folder of the chosen index and the name or folder of its encoder instead of ``auto``.

    A remote index is downloaded if it is not there. Raises ArtifactError if there is no usable index.
    """
    if settings.index == AUTO:

        def check(folder: Path, _: Manifest) -> None:
            _check_pair(settings, folder)

        folder = choose_index(settings.indexes, check)
        settings = settings.model_copy(update={"index": str(folder)})
    else:
        folder = fetch_index(settings)
    if settings.encoder == AUTO:
        settings = settings.model_copy(update={"encoder": encoder_of(folder, read_manifest(folder))})
    return settings


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
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ArtifactError(f"The index {settings.index} names a file outside its folder: {name}. Use another.")
            download(store, name, work / name, digest)
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    except StorageError as error:
        raise ArtifactError(f"The index {settings.index} could not be fetched: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def prepare_encoder(settings: Settings) -> None:
    """Compile the encoder that lies in the served index, if it is not compiled. Other models are compiled when they are
    fetched. Prints one line. Raises ArtifactError."""
    chosen = served(settings)
    if not Path(chosen.encoder).is_dir() or chosen.enable_gpu or chosen.engine == NATIVE:
        return
    encoder = find(chosen.encoder, "encoder")
    try:
        record, _ = compile_model(ModelStore(chosen.models_dir), encoder)
    except OSError as error:  # a full disk, for instance
        sys.stdout.write(f"{encoder.name}: runs natively, it could not be compiled: {error}\n")
    else:
        sys.stdout.write(f"{encoder.name}: {record.summary()}\n")


def announce(settings: Settings, host: str, port: int) -> None:
    """Write ``ready_line`` to stderr."""
    sys.stderr.write(ready_line(settings, host, port) + "\n")
    sys.stderr.flush()


def ready_line(settings: Settings, host: str, port: int) -> str:
    """One line with the service's address and a curl command to try it, with a sample photo if there is one.

    The command states the kind of photo, because the service does not recognise every generated photo as skin."""
    base = local_address(host, port)
    photo = min((settings.var / "sample" / "dataset" / "images").glob("*.png"), default=None)
    if photo is None:
        command = f"curl -X POST {base}/api/selftest"
    else:
        command = f"curl -F modality=close_up -F {shlex.quote(f'image=@{photo}')} {base}/api/analyze/skin"
    return f"DermServe is ready at {base} — try: {command}"


def local_address(host: str, port: int) -> str:
    """The URL at which a client on this machine reaches a service that listens on ``host``."""
    host = _ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _check_models(settings: Settings, encoder: str) -> None:
    """Raise ArtifactError if a model of a service with this encoder is missing or altered."""
    find(settings.classifier, "classifier")
    find(encoder, "encoder")
    names = models_in_use(encoder, settings.classifier, faces=settings.faces)
    check_models(settings.models_dir, names, engine=settings.engine, gpu=settings.enable_gpu)


def _encoder(settings: Settings, name: str) -> ModelSpec:
    """Raises ArtifactError if there is no such encoder, or if it has another dimension."""
    encoder = find(name, "encoder")
    if encoder.output_dim != settings.faiss_dimension:
        raise ArtifactError(
            f"FAISS_DIMENSION={settings.faiss_dimension}, but the encoder {encoder.name} has {encoder.output_dim} "
            f"dimensions. Set FAISS_DIMENSION={encoder.output_dim}, or choose another DERMSERVE_ENCODER."
        )
    return encoder


def _check_pair(settings: Settings, folder: Path) -> Manifest:
    """The manifest of the index. Raises ArtifactError if its encoder is not the one in use, or is missing."""
    manifest = read_manifest(folder)
    name = encoder_of(folder, manifest) if settings.encoder == AUTO else settings.encoder
    fingerprint = ModelStore(settings.models_dir).manifest(_encoder(settings, name)).fingerprint
    check_encoder(folder, manifest, fingerprint, settings.faiss_dimension)
    return manifest


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

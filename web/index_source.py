"""Where the chosen index lies on this machine; one that lies elsewhere is fetched when the service starts."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from ml.errors import ArtifactError
from scin.index.manifest import MANIFEST_FILE, Manifest, read_manifest
from settings import Settings
from storage import StorageError, open_storage
from storage.base import download

_REMOTE = ("gs://", "s3://", "https://", "http://")


def index_folder(settings: Settings) -> Path:
    """The folder of the index. A remote one has a folder of its own under the service's."""
    if settings.index in ("sample", "scin"):
        return settings.var / "index" / settings.index
    if settings.index.startswith(_REMOTE):
        name = hashlib.sha256(settings.index.encode()).hexdigest()[:16]
        return settings.var / "index" / name
    return Path(settings.index)


def index_manifest(settings: Settings) -> Manifest | None:
    """What the chosen index was made of, or None where there is none: mock services, or not built yet."""
    try:
        return None if settings.use_mock_services else read_manifest(index_folder(settings))
    except ArtifactError:
        return None


def fetch_index(settings: Settings) -> Path:
    """The folder of the index, brought here first if it lies elsewhere and is not here yet. Whole or not at all.

    Raises ArtifactError if it cannot be brought.
    """
    folder = index_folder(settings)
    if not settings.index.startswith(_REMOTE) or (folder / MANIFEST_FILE).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".fetching-"))
    try:
        _download(settings.index, work)
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
    except StorageError as error:
        raise ArtifactError(f"The index {settings.index} could not be fetched: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _download(uri: str, work: Path) -> None:
    store = open_storage(uri)
    download(store, MANIFEST_FILE, work / MANIFEST_FILE)
    for name, digest in read_manifest(work).files.items():
        download(store, name, work / name, digest)

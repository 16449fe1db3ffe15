"""An unchanging copy of an index for the processes that serve it, while a build may replace the index itself.

The copy consists of hard links, so it needs no space and no time. Workers that start at different moments, and files
that a worker opens late, then always belong to the same index.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from ml.errors import ArtifactError
from scin.index.manifest import MANIFEST_FILE, read_manifest, verify_files

_LOCK = ".lock"
#: An index is absent for a moment while it is replaced. Try this often, with this pause in seconds.
_ATTEMPTS, _PAUSE_S = 5, 0.1


class PinnedIndex:
    """The copy. It exists until ``release``; if its processes are killed, the next pin of the index removes it."""

    def __init__(self, folder: Path, lock: int | None) -> None:
        self.folder = folder
        self._lock = lock

    def release(self) -> None:
        """Delete the copy. Files that a process has open can still be read."""
        if self._lock is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = None


def pin_index(folder: Path) -> PinnedIndex:
    """Pin the complete, verified index in ``folder``. While it is being replaced, this waits up to half a second.

    The copy is a hidden folder beside ``folder``. Where hard links are not possible, because the file system has none
    or may not be written, the index itself is used. Raises ArtifactError if the index is missing or damaged.
    """
    for _ in range(_ATTEMPTS):
        before = _state(folder)
        try:
            return _pin(folder)
        except ArtifactError:
            if before is not None and before == _state(folder):
                raise  # it is damaged, not being replaced
        time.sleep(_PAUSE_S)
    return _pin(folder)


def _pin(folder: Path) -> PinnedIndex:
    manifest = read_manifest(folder)
    prefix = f".{folder.resolve().name}-served-"
    try:
        _remove_abandoned(folder.resolve().parent, prefix)
        copy = Path(tempfile.mkdtemp(dir=folder.resolve().parent, prefix=prefix))
    except OSError:
        return _itself(folder)
    lock = os.open(copy / _LOCK, os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)  # held until this process and its children have ended
    pinned = PinnedIndex(copy, lock)
    try:
        for name in (*manifest.files, MANIFEST_FILE):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(folder / name, copy / name)
        verify_files(copy, read_manifest(copy))
    except FileNotFoundError as error:
        pinned.release()
        raise ArtifactError(f"{error.filename} is missing. Build the index again.") from error
    except OSError:
        pinned.release()
        return _itself(folder)
    except ArtifactError:
        pinned.release()
        verify_files(folder, read_manifest(folder))  # names the file of the index, not of the copy
        raise
    return pinned


def _itself(folder: Path) -> PinnedIndex:
    verify_files(folder, read_manifest(folder))
    return PinnedIndex(folder, None)


def _state(folder: Path) -> bytes | None:
    """The bytes of the manifest, which differ for each index. None while there is no index."""
    try:
        return (folder / MANIFEST_FILE).read_bytes()
    except OSError:
        return None


def _remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the copies whose processes have all ended."""
    for copy in parent.glob(f"{prefix}*"):
        try:
            lock = os.open(copy / _LOCK, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(copy, ignore_errors=True)
        except OSError:  # a process holds it
            continue
        finally:
            os.close(lock)

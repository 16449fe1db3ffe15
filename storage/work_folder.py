"""A folder in which one process at a time prepares a result. A killed process leaves it for the next one."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.base import StorageError

_LOCK = "lock"


class FolderInUseError(StorageError):
    """Another process works in the folder."""


@contextmanager
def locked(folder: Path, task: str) -> Iterator[None]:
    """Make ``folder`` if it is missing, and lock it. The lock ends with the process, however that ends.

    ``task`` says in the error what the folder is for, such as "build". Raises FolderInUseError, in one line, if another
    process has the lock; OSError if the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUseError(f"Another {task} is running in {folder}. Wait for it or stop it.") from error
        yield


def clear(folder: Path) -> None:
    """Remove what is in a locked folder, except its lock."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()

"""A folder on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from storage.base import NotFoundError, ObjectInfo, StorageError


class FolderStorage:
    """The files below a folder. Their names use ``/`` and cannot lead out of it."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.root = Path(uri.removeprefix("file://"))
        if not self.root.is_dir():
            raise NotFoundError(f"The folder {self.root} does not exist. Check the path.")

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        files = (path for path in self.root.rglob("*") if path.is_file())
        named = sorted((path.relative_to(self.root).as_posix(), path) for path in files)
        return (_info(name, path) for name, path in named if name.startswith(prefix))

    def read(self, name: str) -> bytes:
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise StorageError(f"{name} lies outside {self.root}.")
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"{name} is not in {self.root}.") from error
        except OSError as error:
            raise StorageError(f"{name} in {self.root} cannot be read: {error.strerror}.") from error


def _info(name: str, path: Path) -> ObjectInfo:
    facts = path.stat()
    return ObjectInfo(name, facts.st_size, datetime.fromtimestamp(int(facts.st_mtime), UTC))

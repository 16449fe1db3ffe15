"""Where files are published: a folder, or S3. A file appears there as a whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from storage.base import StorageError, write_atomically


class Target(Protocol):
    """Write access below one URI."""

    uri: str

    def size(self, name: str) -> int | None:
        """The size of a file in bytes; None if it is not there. Raises StorageError."""
        ...

    def put(self, name: str, data: Path | bytes) -> None:
        """Write or replace a file, from a file or from bytes. Raises StorageError."""
        ...


class FolderTarget:
    """A folder on this machine. It is made if it is missing."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._root = Path(uri.removeprefix("file://"))

    def size(self, name: str) -> int | None:
        try:
            return (self._root / name).stat().st_size
        except FileNotFoundError:
            return None

    def put(self, name: str, data: Path | bytes) -> None:
        try:
            write_atomically(self._root / name, data if isinstance(data, bytes) else data.read_bytes())
        except OSError as error:
            raise StorageError(f"{name} cannot be written into {self._root}: {error.strerror}.") from error


def open_target(uri: str) -> Target:
    """The target at ``uri``: ``/a/folder``, ``file:///a/folder`` or ``s3://bucket/prefix``.

    Raises StorageError for a scheme that is not supported.
    """
    scheme = urlsplit(uri).scheme if ":" in uri else ""
    if scheme in ("", "file"):
        return FolderTarget(uri)
    if scheme == "s3":
        from storage.s3 import S3Target

        return S3Target(uri)
    raise StorageError(f"'{scheme}:' is not a supported scheme for writing. Use a folder or s3://.")

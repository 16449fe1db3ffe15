"""What every store offers, and the parts that all of them share."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from storage.parallel import map_ordered

_CHUNK = 1 << 20
#: objects that are read at once, and that may wait for their reader
_READERS, _AHEAD = 8, 32


class StorageError(Exception):
    """A store cannot be reached or refuses. The message names the place and says what to do."""


class NotFoundError(StorageError):
    """There is no such object."""


class ChecksumError(StorageError):
    """The bytes that arrived are not the bytes that were expected."""


@dataclass(frozen=True)
class ObjectInfo:
    """``name`` is relative to the store's root, ``size`` in bytes; ``modified`` is None where the store is silent."""

    name: str
    size: int
    modified: datetime | None


class Storage(Protocol):
    """Read access to objects below one URI."""

    uri: str

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Objects whose names start with ``prefix``, in name order."""
        ...

    def read(self, name: str) -> bytes:
        """One object's bytes. Raises NotFoundError or StorageError."""
        ...


def download(store: Storage, name: str, target: Path, sha256: str | None = None) -> None:
    """Write object ``name`` to ``target``: the whole verified file appears there, or nothing does.

    Raises ChecksumError if the bytes do not have the given digest (hexadecimal).
    """
    data = store.read(name)
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise ChecksumError(
            f"{name} from {store.uri} has sha256 {found[:12]}…, expected {sha256[:12]}…. "
            "The source has changed or the transfer was damaged: nothing was kept."
        )
    write_atomically(target, data)


def write_atomically(target: Path, data: bytes) -> None:
    """Write ``data`` beside ``target``, flush it to the disk, then rename."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_many(store: Storage, names: Iterable[str]) -> Iterator[tuple[str, bytes | StorageError]]:
    """Read many objects in parallel: (name, bytes or the error) in the order of ``names``; one failure stops no other.

    A few dozen objects are held at most, however many there are.
    """

    def read(name: str) -> tuple[str, bytes | StorageError]:
        try:
            return name, store.read(name)
        except StorageError as error:
            return name, error

    return map_ordered(read, names, workers=_READERS, ahead=_AHEAD, name="storage")


def sha256_file(path: Path) -> str:
    """Hexadecimal sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()

"""The interface of a store, and what all stores share: errors, the retry policy, downloads and parallel reads."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

_T = TypeVar("_T")
_R = TypeVar("_R")

#: The retry policy: number of attempts, and seconds to wait before the next; the wait doubles each time. The client
#: libraries use these values for failed requests, ``retry_policy`` for broken or damaged transfers.
ATTEMPTS = 5
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5.0, 60.0
#: objects that are read in parallel, and objects in memory at most
_READERS, _AHEAD = 8, 32


class StorageError(Exception):
    """A store cannot be reached or refuses a request. The message names the store and says what to do."""


class NotFoundError(StorageError):
    """There is no such object."""


class ChecksumError(StorageError):
    """The bytes that arrived are not the bytes that were expected."""


@dataclass(frozen=True)
class ObjectInfo:
    """``name`` is relative to the store's root. ``size`` is in bytes. ``modified`` is None if the store does not state
    it."""

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


def retry_policy(*errors: type[Exception]) -> Retrying:
    """Call a function again while it raises one of ``errors``, at most ATTEMPTS times in all. Then raise its last
    error."""
    return Retrying(
        retry=retry_if_exception_type(errors),
        wait=wait_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
    )


def bucket_and_prefix(uri: str) -> tuple[str, str]:
    """(bucket, prefix of object names) of ``scheme://bucket/prefix``. A prefix that is not empty ends with "/"."""
    parts = urlsplit(uri)
    folder = parts.path.strip("/")
    return parts.netloc, f"{folder}/" if folder else ""


def download(store: Storage, name: str, target: Path, sha256: str | None = None) -> None:
    """Write object ``name`` to ``target``. Either the whole verified file appears there, or nothing.

    Raises ChecksumError if the bytes do not have the given digest (hexadecimal).
    """
    data = store.read(name)
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise ChecksumError(
            f"{name} from {store.uri} has sha256 {found[:12]}…, expected {sha256[:12]}…. "
            "The source has changed or the transfer was damaged. No file was written."
        )
    write_atomically(target, data)


def write_atomically(target: Path, data: bytes) -> None:
    """Write ``data`` to a temporary file, flush it to the disk, then rename it to ``target``."""
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


def sha256_file(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_many(store: Storage, names: Iterable[str]) -> Iterator[tuple[str, bytes | StorageError]]:
    """Read many objects in parallel. Yields (name, bytes or error) in the order of ``names``; errors do not stop it.

    At most a few dozen objects are in memory.
    """

    def read(name: str) -> tuple[str, bytes | StorageError]:
        try:
            return name, store.read(name)
        except StorageError as error:
            return name, error

    return map_ordered(read, names, workers=_READERS, ahead=_AHEAD, name="storage")


def map_ordered(
    function: Callable[[_T], _R], items: Iterable[_T], *, workers: int, ahead: int, name: str = "parallel"
) -> Generator[_R, None, None]:
    """Apply ``function`` to each item in ``workers`` threads. Yields the results in the order of ``items``.

    At most ``ahead`` items are in progress, which bounds the memory. The caller's thread iterates ``items``. If
    ``function`` raises an exception, it is raised in place of the result. All threads end with the iteration.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    waiting: deque[Future[_R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)

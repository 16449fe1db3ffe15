"""What all stores share: how they are named, verified and atomic downloads, and parallel reads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import ChecksumError, NotFoundError, ObjectInfo, StorageError, open_storage
from storage import base as base_module
from storage.base import download, read_many, sha256_file, write_atomically


class Memory:
    """A store in memory; a value that is an exception is raised."""

    uri = "memory:"

    def __init__(self, **objects: bytes | Exception) -> None:
        self._objects = objects

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        raise StorageError("no listing")

    def read(self, name: str) -> bytes:
        value = self._objects.get(name, NotFoundError(f"{name} is not here"))
        if isinstance(value, Exception):
            raise value
        return value


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_verified_object_appears_with_its_folders(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "file.bin"
    download(Memory(x=b"content"), "x", target, digest(b"content"))
    assert target.read_bytes() == b"content"
    assert target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


def test_a_wrong_digest_keeps_nothing_and_names_the_object(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")
    with pytest.raises(ChecksumError, match=f"x from memory: has sha256 {digest(b'content')[:12]}"):
        download(Memory(x=b"content"), "x", target, digest(b"other"))
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]


def test_a_missing_object_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        download(Memory(), "x", tmp_path / "file.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(base_module.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_many_are_read_and_one_failure_stops_no_other() -> None:
    objects: dict[str, bytes | Exception] = {f"n{number}": bytes([number]) for number in range(50)}
    objects["n7"] = StorageError("n7 cannot be read")
    found = dict(read_many(Memory(**objects), [*objects, "missing"]))
    assert len(found) == 51
    assert isinstance(found.pop("missing"), NotFoundError)
    assert str(found.pop("n7")) == "n7 cannot be read"
    assert all(found[f"n{number}"] == bytes([number]) for number in range(50) if number != 7)


def test_a_mistake_of_ours_is_not_taken_for_a_failed_read() -> None:
    with pytest.raises(ZeroDivisionError):
        list(read_many(Memory(x=ZeroDivisionError()), ["x"]))


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1])
def test_a_files_digest(tmp_path: Path, size: int) -> None:
    content = bytes(size)
    (tmp_path / "f").write_bytes(content)
    assert sha256_file(tmp_path / "f") == digest(content)


@pytest.mark.parametrize("uri", ["ftp://host/path", "mailto:someone", "azure://container/x"])
def test_an_unknown_kind_of_source_names_the_known_ones(uri: str) -> None:
    with pytest.raises(StorageError, match="Use a folder, https, gs://, s3:// or wheel:"):
        open_storage(uri)


def test_a_path_with_a_colon_free_relative_name_is_a_folder(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert open_storage(".").uri == "."

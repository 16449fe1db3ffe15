from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import NotFoundError, ObjectInfo, StorageError, open_storage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name, content in {"b.csv": b"two", "a.csv": b"one", "images/-5.png": b"", "images/7.png": b"1234"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
        os.utime(root / name, (1_700_000_000.5, 1_700_000_000.5))
    (tmp_path / "secret.txt").write_text("outside")
    return root


def test_files_are_listed_in_name_order_with_their_size_and_time(folder: Path) -> None:
    modified = datetime.fromtimestamp(1_700_000_000, UTC)
    assert list(open_storage(str(folder)).list()) == [
        ObjectInfo("a.csv", 3, modified),
        ObjectInfo("b.csv", 3, modified),
        ObjectInfo("images/-5.png", 0, modified),
        ObjectInfo("images/7.png", 4, modified),
    ]


@pytest.mark.parametrize(
    ("prefix", "names"), [("images/", ["images/-5.png", "images/7.png"]), ("images/7", ["images/7.png"]), ("x", [])]
)
def test_a_prefix_narrows_the_list(folder: Path, prefix: str, names: list[str]) -> None:
    assert [info.name for info in open_storage(str(folder)).list(prefix)] == names


@pytest.mark.parametrize("form", ["{}", "{}/", "file://{}"])
def test_a_folder_may_be_named_in_several_ways(folder: Path, form: str) -> None:
    assert open_storage(form.format(folder)).read("images/7.png") == b"1234"


@pytest.mark.parametrize("name", ["c.csv", "images/8.png"])
def test_a_file_that_is_not_there(folder: Path, name: str) -> None:
    with pytest.raises(NotFoundError, match=name):
        open_storage(str(folder)).read(name)


@pytest.mark.parametrize("name", ["../secret.txt", "images/../../secret.txt", "/etc/hostname"])
def test_no_name_leads_out_of_the_folder(folder: Path, name: str) -> None:
    with pytest.raises(StorageError, match="lies outside"):
        open_storage(str(folder)).read(name)


def test_no_link_leads_out_of_the_folder(folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent / "secret.txt")
    with pytest.raises(StorageError, match="lies outside"):
        open_storage(str(folder)).read("link")


@pytest.mark.parametrize("name", ["images", "a.csv/b"])
def test_a_folder_is_no_file_and_a_file_no_folder(folder: Path, name: str) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        open_storage(str(folder)).read(name)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="Check the path"):
        open_storage(str(tmp_path / "nowhere"))

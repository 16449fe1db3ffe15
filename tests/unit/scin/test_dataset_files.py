"""The two CSV files as files: their encoding and age, and what is said of a file that is not SCIN's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scin.dataset import read_dataset
from storage import NotFoundError, ObjectInfo, StorageError, open_storage
from tests.unit.scin.scin_folder import MODIFIED, case, label, read, write_tables


def test_a_byte_order_mark_and_line_ends_of_any_kind_do_not_matter(tmp_path: Path) -> None:
    write_tables(tmp_path, [case("1", "a.png")], [label("1", {"Eczema": 1.0})])
    for name in ("scin_cases.csv", "scin_labels.csv"):
        content = (tmp_path / name).read_bytes().replace(b"\r\n", b"\n")
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content)
    assert read(tmp_path).cases[0].label.top == "Eczema"


def test_names_with_commas_quotes_and_other_alphabets(tmp_path: Path) -> None:
    weights = {"Burn, 1st degree": 0.5, 'so-called "rash"': 0.3, "Lichen's": 0.1, "Ekzém": 0.1}
    (found,) = read(write_tables(tmp_path, [case("1", "a.png")], [label("1", weights)])).cases
    assert found.label.weights == weights


def test_the_newer_files_time_is_the_datasets(tmp_path: Path) -> None:
    write_tables(tmp_path, [case("1", "a.png")], [label("1")])
    os.utime(tmp_path / "scin_labels.csv", (MODIFIED - 50, MODIFIED - 50))
    assert read(tmp_path).modified_at == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize("name", ["scin_cases.csv", "scin_labels.csv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_tables(tmp_path, [case("1", "a.png")], [label("1")])
    (tmp_path / name).unlink()
    with pytest.raises(NotFoundError, match=name):
        read(tmp_path)


@pytest.mark.parametrize("name", ["scin_cases.csv", "scin_labels.csv"])
@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"id,name\n1,2\n", b"case_id\n\xff\xfe\n", b'case_id\n"' + b"x" * 2**21]
)
def test_a_file_of_another_kind_is_named_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    write_tables(tmp_path, [case("1", "a.png")], [label("1")])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StorageError, match=name) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


class NoListing:
    """A store like a web server's: names must be known."""

    uri = "https://example.org/dataset"

    def __init__(self, folder: Path) -> None:
        self._folder = open_storage(str(folder))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        raise StorageError("no listing")

    def read(self, name: str) -> bytes:
        return self._folder.read(name)


def test_a_store_without_listing_is_read_too(tmp_path: Path) -> None:
    dataset = read_dataset(NoListing(write_tables(tmp_path, [case("1", "a.png")], [label("1")])))
    assert len(dataset.cases) == 1
    assert dataset.modified_at == "unknown"


def test_generated_cases_are_known_as_such(tmp_path: Path) -> None:
    real, made = case("1", "a.png"), case("2", "b.png", source="SYNTHETIC")
    assert not read(write_tables(tmp_path, [real], [label("1")])).synthetic
    assert read(write_tables(tmp_path, [real, made], [label("1"), label("2")])).synthetic

"""An index that is not what it should be stops the load, in one line that names the file or the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml.errors import ArtifactError
from scin.index.manifest import read_manifest, write_manifest
from storage.base import sha256_file
from tests.unit.scin.index_folder import load, random_photos, stored, write_folder

FILES = ("index.faiss", "cases.parquet", "thumbnails.bin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vectors, photos = random_photos(20, 1)
    write_folder(tmp_path / "index", vectors, [stored(case, rows) for case, rows in photos.items()])
    return tmp_path / "index"


def refusal(folder: Path, **encoder: object) -> str:
    with pytest.raises(ArtifactError) as caught:
        load(folder, **encoder)  # type: ignore[arg-type]
    assert "\n" not in caught.value.message
    return caught.value.message


def with_matching_digests(folder: Path) -> None:
    """As if the files had been made like this: only their content can still be wrong."""
    manifest = read_manifest(folder)
    write_manifest(folder, replace(manifest, files={name: sha256_file(folder / name) for name in manifest.files}))


def test_an_index_of_an_earlier_version_with_another_column_is_read(folder: Path) -> None:
    table = pq.read_table(folder / "cases.parquet")
    older = table.append_column("monk_estimate", pa.array([4] * len(table), pa.int32()))
    pq.write_table(older, folder / "cases.parquet")
    with_matching_digests(folder)
    assert load(folder).info.cases == 20


@pytest.mark.parametrize("name", FILES)
def test_an_altered_file(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert f"{folder / name} does not match its sha256" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-7])
    assert f"{folder / name} does not match its sha256" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{folder / name} is missing" in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_never_whole(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"" if name == "thumbnails.bin" else (folder / name).read_bytes()[:40])
    with_matching_digests(folder)
    assert f"The index in {folder} cannot be read" in refusal(folder)


def test_another_encoder_or_other_weights(folder: Path) -> None:
    message = refusal(folder, fingerprint="0" * 64)
    assert str(folder) in message
    assert "another encoder (tiny 1, or other weights)" in message


def test_another_dimension_names_both_and_the_way_out(folder: Path) -> None:
    message = refusal(folder, dimension=512)
    assert "has 16 dimensions, but the encoder has 512" in message
    assert message.endswith("tiny")


@pytest.mark.parametrize("change", [{"vectors": 5}, {"cases": 19}, {"dimension": 8}])
def test_a_manifest_that_tells_of_another_index(folder: Path, change: dict[str, int]) -> None:
    write_manifest(folder, replace(read_manifest(folder), **change))
    assert "does not match its manifest" in refusal(folder, dimension=change.get("dimension", 16))


def test_a_case_whose_photo_is_not_in_the_index(tmp_path: Path) -> None:
    vectors, photos = random_photos(20, 1)
    cases = [stored(case, rows) for case, rows in photos.items()]
    write_folder(tmp_path, vectors, [*cases[:-1], stored("lost", (len(vectors),))])
    assert "cases.parquet refers to a vector that is not in the index" in refusal(tmp_path)


def test_no_index_at_all(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == f"There is no index in {tmp_path / 'none'}. Build one: python -m scin sample"


def test_a_file_where_a_folder_should_be(folder: Path) -> None:
    assert "There is no index in" in refusal(folder / "index.faiss")

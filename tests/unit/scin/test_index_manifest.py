from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ml.errors import ArtifactError
from ml.values import CLINICAL
from scin.facts import SCIN, SYNTHETIC
from scin.index.manifest import Manifest, Structure, Vote, read_manifest, replace_folder, verify_files, write_manifest
from tests.unit.scin.index_folder import random_photos, stored, write_folder


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    vectors, photos = random_photos(5, 1)
    return write_folder(
        tmp_path, vectors, [stored(case, rows) for case, rows in photos.items()], skipped={"no image": 2}
    )


def test_what_is_written_is_read_again(manifest: Manifest, tmp_path: Path) -> None:
    assert read_manifest(tmp_path) == manifest
    assert isinstance(read_manifest(tmp_path).vote, Vote)


def test_the_same_manifest_is_the_same_bytes(manifest: Manifest, tmp_path: Path) -> None:
    first = (tmp_path / "manifest.json").read_bytes()
    write_manifest(tmp_path, replace(manifest, files=dict(reversed(manifest.files.items()))))
    assert (tmp_path / "manifest.json").read_bytes() == first


def test_files_that_match_are_verified(manifest: Manifest, tmp_path: Path) -> None:
    assert len(manifest.files) == 3
    verify_files(tmp_path, manifest)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "vote": {}, "transforms": []}', "\xff"]
)
@pytest.mark.usefixtures("manifest")
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ArtifactError, match=r"is damaged\. Build the index again") as caught:
        read_manifest(tmp_path)
    assert str(tmp_path / "manifest.json") in caught.value.message


@pytest.mark.usefixtures("manifest")
def test_a_manifest_that_states_no_kind_of_photo_is_of_clinical_photos(tmp_path: Path) -> None:
    facts = json.loads((tmp_path / "manifest.json").read_text())
    del facts["photo_kind"]
    (tmp_path / "manifest.json").write_text(json.dumps(facts))
    assert read_manifest(tmp_path).photo_kind == CLINICAL


@pytest.mark.parametrize("unknown", [{}, {"later_field": 1}])
@pytest.mark.usefixtures("manifest")
def test_a_later_format_is_told_as_such_even_with_fields_unknown_here(tmp_path: Path, unknown: dict[str, int]) -> None:
    facts = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**facts, **unknown, "format": 2}))
    with pytest.raises(ArtifactError, match="has format 2, but this version reads 1"):
        read_manifest(tmp_path)


def test_scins_attribution_holds_what_its_licence_asks_for() -> None:
    assert "SCIN Data Use License" in SCIN["licence"]
    assert "re-identify" in SCIN["notice"]
    assert "No endorsement" in SCIN["notice"]
    assert SCIN["changes"]
    assert SCIN["source"].startswith("https://")


def test_the_samples_attribution_says_that_it_is_generated() -> None:
    assert "computer-generated" in SYNTHETIC["notice"]
    assert "SCIN Data Use License" not in SYNTHETIC["licence"]


@pytest.mark.parametrize(
    ("kind", "effort", "parameters"),
    [("ivf", 32, {"nprobe": 32}), ("hnsw", 64, {"efSearch": 64}), ("flat", None, {})],
)
@pytest.mark.usefixtures("manifest")
def test_an_earlier_manifest_that_speaks_of_effort_is_read(
    tmp_path: Path, kind: str, effort: int | None, parameters: dict[str, int]
) -> None:
    facts = json.loads((tmp_path / "manifest.json").read_text())
    facts["structure"] = {"kind": kind, "effort": effort, "recall_at_10": 0.98, "queries": 9}
    (tmp_path / "manifest.json").write_text(json.dumps(facts))
    assert read_manifest(tmp_path).structure == Structure(kind, parameters, 0.98, 9)


def test_the_old_index_is_put_back_if_the_new_one_cannot_be_moved(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "file").write_text("old")
    with pytest.raises(OSError, match="missing"):
        replace_folder(tmp_path / "index", tmp_path / "missing", tmp_path / "aside")
    assert (tmp_path / "index" / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["index"]

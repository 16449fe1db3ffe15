"""Which index a service uses if nobody names one, and how workers keep it while it is replaced."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ml.errors import ArtifactError
from scin.index.choose import choose_index, encoder_of
from scin.index.manifest import Manifest, read_manifest, replace_folder, verify_files, write_manifest
from scin.index.pinned import pin_index
from scin.index.vote import CALIBRATION_FILE
from storage.base import sha256_file
from tests.unit.scin.index_folder import INDEX_FILE, random_photos, stored, write_folder


def make(folder: Path, cases: int = 4, *, synthetic: bool = False, files: tuple[str, ...] = ()) -> Path:
    """A whole index. ``files`` are more files of the manifest, such as a calibration."""
    vectors, photos = random_photos(cases, 1)
    manifest = write_folder(
        folder, vectors, [stored(case, rows) for case, rows in photos.items()], synthetic=synthetic, name=folder.name
    )
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("{}")
    digests = {name: sha256_file(folder / name) for name in files}
    write_manifest(folder, replace(manifest, files={**manifest.files, **digests}))
    return folder


def usable(folder: Path, manifest: Manifest) -> None:
    """Every index is."""


def test_a_real_index_comes_before_a_larger_synthetic_one(tmp_path: Path) -> None:
    make(tmp_path / "sample", 9, synthetic=True, files=(CALIBRATION_FILE,))
    make(tmp_path / "scin", 3)
    assert choose_index(tmp_path, usable).name == "scin"


def test_an_evaluated_index_comes_before_a_larger_one(tmp_path: Path) -> None:
    make(tmp_path / "larger", 9)
    make(tmp_path / "evaluated", 3, files=(CALIBRATION_FILE,))
    assert choose_index(tmp_path, usable).name == "evaluated"


def test_of_two_of_a_kind_the_one_with_more_cases_is_served(tmp_path: Path) -> None:
    make(tmp_path / "a", 3)
    make(tmp_path / "b", 9)
    make(tmp_path / "c", 5)
    assert choose_index(tmp_path, usable).name == "b"


def test_of_two_of_a_size_the_one_with_a_trained_encoder_and_then_the_newer_is_served(tmp_path: Path) -> None:
    for age, name in enumerate(("newest", "newer", "old")):
        make(tmp_path / name)
        os.utime(tmp_path / name / "manifest.json", (1e9 - age, 1e9 - age))
    assert choose_index(tmp_path, usable).name == "newest"
    make(tmp_path / "trained", files=("encoder/spec.json",))
    os.utime(tmp_path / "trained" / "manifest.json", (9e8, 9e8))
    assert choose_index(tmp_path, usable).name == "trained"


@pytest.mark.parametrize("name", [".fetching-x", ".scin-served-x", "scin.shards", "scin.tmp"])
def test_what_is_not_finished_is_not_served(name: str, tmp_path: Path) -> None:
    make(tmp_path / "sample", synthetic=True)
    make(tmp_path / name)
    assert choose_index(tmp_path, usable).name == "sample"


def test_a_real_index_that_is_skipped_is_logged_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path / "sample", 3, synthetic=True)
    (make(tmp_path / "damaged", 4) / INDEX_FILE).write_bytes(b"altered")
    (make(tmp_path / "unreadable", 5) / "manifest.json").write_text("{")
    make(tmp_path / "foreign", 6)

    def check(folder: Path, manifest: Manifest) -> None:
        if manifest.cases == 6:
            raise ArtifactError("Its encoder is not here.")

    with caplog.at_level(logging.WARNING):
        assert choose_index(tmp_path, check).name == "sample"
    told = [record.getMessage() for record in caplog.records]
    assert [line.split(" is not served: ")[0].rsplit("/", 1)[1] for line in told] == [
        "unreadable",
        "foreign",
        "damaged",
    ]
    assert told[1].endswith("Its encoder is not here.")
    assert not any("\n" in line for line in told)


def test_without_an_index_the_error_says_what_to_run(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ArtifactError, match="python -m scin sample"):
            choose_index(folder, usable)


def test_if_none_can_be_used_the_reason_of_the_best_is_given(tmp_path: Path) -> None:
    make(tmp_path / "sample", synthetic=True)
    make(tmp_path / "scin")

    def check(folder: Path, manifest: Manifest) -> None:
        raise ArtifactError(f"{folder.name} is not possible")

    with pytest.raises(ArtifactError, match="scin is not possible"):
        choose_index(tmp_path, check)


def test_the_encoder_is_the_index_s_own_or_the_one_that_it_names(tmp_path: Path) -> None:
    general, own = make(tmp_path / "a"), make(tmp_path / "b", files=("encoder/spec.json",))
    assert encoder_of(general, read_manifest(general)) == "tiny"
    assert encoder_of(own, read_manifest(own)) == str(own / "encoder")


def test_a_pinned_index_stays_as_it_is_while_it_is_replaced_and_removed(tmp_path: Path) -> None:
    folder, new = make(tmp_path / "scin", 3, files=("encoder/spec.json",)), make(tmp_path / "new", 7)
    pinned = pin_index(folder)
    replace_folder(folder, new, aside=tmp_path / "aside")
    assert read_manifest(folder).cases == 7
    shutil.rmtree(folder)
    manifest = read_manifest(pinned.folder)
    assert manifest.cases == 3
    verify_files(pinned.folder, manifest)
    pinned.release()
    assert list(tmp_path.iterdir()) == []


def test_a_pin_whose_process_was_killed_is_removed_by_the_next_one(tmp_path: Path) -> None:
    folder = make(tmp_path / "scin")
    child = os.fork()
    if child == 0:
        pin_index(folder)
        os._exit(0)
    os.waitpid(child, 0)
    left = set(tmp_path.glob(".scin-served-*"))
    assert len(left) == 1
    first, second = pin_index(folder), pin_index(folder)
    assert set(tmp_path.glob(".scin-served-*")) == {first.folder, second.folder}
    for pinned in (first, second):
        pinned.release()


def test_without_hard_links_the_index_itself_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: Path, target: Path) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr("scin.index.pinned.os.link", link)
    folder = make(tmp_path / "scin")
    pinned = pin_index(folder)
    assert pinned.folder == folder
    pinned.release()
    assert [path.name for path in tmp_path.iterdir()] == ["scin"]
    verify_files(folder, read_manifest(folder))


@pytest.mark.parametrize("damage", ["altered", "missing", "absent"])
def test_a_damaged_index_is_not_pinned(damage: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "scin")
    if damage == "altered":
        (folder / INDEX_FILE).write_bytes(b"altered")
    elif damage == "missing":
        (folder / INDEX_FILE).unlink()
    else:
        shutil.rmtree(folder)
    with pytest.raises(ArtifactError, match=str(folder)):
        pin_index(folder)
    assert list(tmp_path.glob(".*")) == []


def test_an_index_that_is_absent_for_a_moment_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = make(tmp_path / "hidden")
    monkeypatch.setattr("scin.index.pinned.time.sleep", lambda _: hidden.rename(tmp_path / "scin"))
    assert read_manifest(pin_index(tmp_path / "scin").folder).cases == 4
    shutil.rmtree(tmp_path)

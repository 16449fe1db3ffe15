"""Publishing a bundle: nothing is sent twice, and an interrupted upload leaves no bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.bundle.contents import BundleError, split_address
from deploy.bundle.install import install
from deploy.bundle.publish import publish
from storage import StorageError
from storage.target import FolderTarget, open_target
from tests.unit.deploy.bundles import contents_of, new_instance


class Interrupted(FolderTarget):
    """The connection is lost after some files."""

    left = 3

    def put(self, name: str, data: Path | bytes) -> None:
        if self.left == 0:
            raise StorageError("the connection is lost")
        self.left -= 1
        super().put(name, data)


def test_equal_contents_have_one_address_and_are_sent_once(tmp_path: Path) -> None:
    contents, files = contents_of(tmp_path / "made")
    target = FolderTarget(str(tmp_path / "bundles"))
    said: list[str] = []
    first = publish(contents, files, target, said.append)
    assert publish(contents, files, target, said.append) == first
    assert said[0].startswith("7 of 7 files sent")
    assert said[1].startswith("0 of 7 files sent")


def test_a_new_model_sends_the_new_files_only(tmp_path: Path) -> None:
    target = FolderTarget(str(tmp_path / "bundles"))
    said: list[str] = []
    first = publish(*contents_of(tmp_path / "made"), target, said.append)
    second = publish(*contents_of(tmp_path / "made", wheels=False), target, said.append)
    assert first != second
    assert said[1].startswith("0 of 6 files sent")


def test_an_interrupted_upload_leaves_no_bundle_and_is_continued(tmp_path: Path) -> None:
    contents, files = contents_of(tmp_path / "made")
    with pytest.raises(StorageError):
        publish(contents, files, Interrupted(str(tmp_path / "bundles")), lambda _: None)
    assert [path.name for path in (tmp_path / "bundles").iterdir()] == ["parts"]
    said: list[str] = []
    address = publish(contents, files, FolderTarget(str(tmp_path / "bundles")), said.append)
    assert said[0].startswith("4 of 7 files sent")
    install(address, new_instance(tmp_path), lambda _: None)


def test_the_address_before_the_manifest_is_there_is_refused(tmp_path: Path) -> None:
    contents, files = contents_of(tmp_path / "made")
    address = publish(contents, files, FolderTarget(str(tmp_path / "bundles")), lambda _: None)
    Path(address, "manifest.json").unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        install(address, new_instance(tmp_path), lambda _: None)


def test_an_address_names_the_digest_of_the_manifest(tmp_path: Path) -> None:
    address = publish(*contents_of(tmp_path / "made"), FolderTarget(str(tmp_path / "bundles")), lambda _: None)
    home, name, digest = split_address(address)
    assert (home, name) == (str(tmp_path / "bundles"), f"dermserve-{digest}")


def test_only_folders_and_s3_can_be_written() -> None:
    with pytest.raises(StorageError, match="not a supported scheme for writing"):
        open_target("gs://bucket/prefix")

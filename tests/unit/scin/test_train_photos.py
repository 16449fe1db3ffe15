"""Reading the photos of a training: what a killed run keeps, and a disk that is too small."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ml.models.registry import EFFICIENTNET_LITE0
from scin.dataset import read_dataset
from scin.train import photos as photos_module
from scin.train.photos import PhotoSet, TrainError, reduced_photos
from storage import ObjectInfo, Storage, open_storage
from tests.unit.scin.trainable import write_dataset

PHOTOS = 12


class Recorded:
    """A store that records what is read."""

    def __init__(self, store: Storage) -> None:
        self.uri, self._store = store.uri, store
        self.names: list[str] = []

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._store.list(prefix)

    def read(self, name: str) -> bytes:
        self.names.append(name)
        return self._store.read(name)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Photos 0 and 11 are the same file, photo 5 is damaged."""
    monkeypatch.setattr(photos_module, "_RECORDED", 4)
    folder = write_dataset(tmp_path / "dataset", PHOTOS)
    shutil.copyfile(folder / "images" / "0.png", folder / "images" / "11.png")
    (folder / "images" / "5.png").write_bytes(b"no photo")
    return Recorded(open_storage(str(folder)))


def read(store: Recorded, folder: Path, stop_at: int | None = None) -> PhotoSet:
    folder.mkdir(exist_ok=True)

    def progress(stage: str, done: int, total: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    return reduced_photos(store, read_dataset(store).cases, folder, EFFICIENTNET_LITE0.preprocess, progress)


def test_a_stopped_run_goes_on_where_it_was(store: Recorded, tmp_path: Path) -> None:
    whole = read(store, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        read(store, tmp_path / "stopped", stop_at=10)
    store.names.clear()
    resumed = read(store, tmp_path / "stopped")
    assert len([name for name in store.names if name.endswith(".png")]) == PHOTOS - 8
    assert (resumed.rows, resumed.digests, resumed.skipped) == (whole.rows, whole.digests, whole.skipped)
    assert np.array_equal(resumed.pixels, whole.pixels)
    assert len(whole.digests) == PHOTOS - 2
    assert sum(whole.skipped.values()) == 1


def test_photos_are_read_once(store: Recorded, tmp_path: Path) -> None:
    first = read(store, tmp_path / "work")
    store.names.clear()
    assert read(store, tmp_path / "work").rows == first.rows
    assert not [name for name in store.names if name.endswith(".png")]


@pytest.mark.parametrize("name", ["photos.npy", "photos.json"])
def test_damaged_files_are_made_again(store: Recorded, tmp_path: Path, name: str) -> None:
    whole = np.array(read(store, tmp_path / "work").pixels)
    (tmp_path / "work" / name).write_bytes(b"damaged")
    assert np.array_equal(read(store, tmp_path / "work").pixels, whole)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_disk_that_is_too_small_is_refused_in_one_line(
    store: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 5 * 10**7, 5 * 10**7))
    with pytest.raises(
        TrainError, match=r"work needs 0\.3 GB, and its disk has 0\.1 GB free\. Free some space"
    ) as caught:
        read(store, tmp_path / "work")
    assert "\n" not in caught.value.message

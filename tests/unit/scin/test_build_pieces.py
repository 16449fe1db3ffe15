"""What a process of a cluster makes of a piece, and what it says when its machine is not as it should be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scin.build.embed import LocalEngine, PieceWorker, pieces
from scin.build.photos import Row
from scin.build.progress import Stages
from scin.build.shards import Shard, plan_shards, unpack
from storage import open_storage
from tests.unit.ml.tiny_models import DIMENSION, tiny_encoder
from tests.unit.scin.scin_folder import case, label, write_photo, write_tables

PHOTOS = Shard(0, tuple(f"images/{n}.png" for n in range(12)))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Photo 7 is the photo 2 again, 3 is damaged and 5 is missing."""
    folder = write_tables(tmp_path / "dataset", [case("1", "0.png")], [label("1", {"Acne": 1.0})])
    for n in range(len(PHOTOS.photos)):
        write_photo(folder, f"{n}.png", seed=2 if n == 7 else n)
    (folder / "images" / "3.png").write_bytes(b"GIF89a")
    (folder / "images" / "5.png").unlink()
    return folder


def worker_of(dataset: Path, fingerprint: str = "f" * 64) -> PieceWorker:
    """As a machine asks whose weights have this fingerprint."""
    return PieceWorker.of(open_storage(str(dataset)), tiny_encoder, tiny_encoder(fingerprint))


def embed(worker: PieceWorker, photos: Shard) -> dict[str, Any]:
    """What a process makes of the photos, as one piece."""
    return worker.embed({"paths": photos.photos})


def facts(row: Row) -> tuple[object, ...]:
    return row.path, row.digest, row.thumbnail, row.skipped


def test_a_piece_is_embedded_as_by_the_local_engine(dataset: Path) -> None:
    embedded = embed(worker_of(dataset), PHOTOS)
    local = LocalEngine(open_storage(str(dataset)), tiny_encoder())
    [(_, expected)] = local.embed([PHOTOS], Stages(), lambda _: None)
    found = list(unpack(embedded["rows"], DIMENSION))
    assert [facts(row) for row in found] == [facts(row) for row in expected]
    assert [row.path for row in found if row.vector is None] == [PHOTOS.photos[n] for n in (3, 5)]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.vector, theirs.vector)
    counted = {stage: photos for stage, (photos, _) in json.loads(embedded["stages"]).items()}
    assert counted == {"read": 12, "decode": 12, "encode": 10}


def test_pieces_keep_the_order_and_end_with_their_shard() -> None:
    paths = [str(n) for n in range(150)]
    parts = pieces(plan_shards(paths, 70))
    assert [path for part in parts for path in part["paths"]] == paths
    assert [len(part["paths"]) for part in parts] == [32, 32, 6, 32, 32, 6, 10]


def test_a_relative_folder_means_that_of_the_machine_that_asks(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(dataset.parent)
    worker = PieceWorker.of(open_storage("dataset"), tiny_encoder, tiny_encoder())
    monkeypatch.chdir("/")
    assert embed(worker, PHOTOS)["failed"] == ""


def test_other_weights_are_told(dataset: Path) -> None:
    embedded = embed(worker_of(dataset, fingerprint="0" * 64), PHOTOS)
    assert embedded["failed"] == "The weights of tiny differ from those on the machine of the build."
    assert embedded["rows"] == b""


def test_another_dataset_under_the_same_name_is_told(dataset: Path) -> None:
    worker = worker_of(dataset)
    write_tables(dataset, [case("9", "0.png")], [])
    assert "differs from that on the machine that started the build" in embed(worker, PHOTOS)["failed"]


def test_a_folder_that_is_not_there_is_told(dataset: Path) -> None:
    worker = worker_of(dataset)
    shutil.rmtree(dataset)
    assert "does not exist" in embed(worker, PHOTOS)["failed"]


def test_a_store_that_has_gone_is_told(dataset: Path) -> None:
    worker = worker_of(dataset)
    gone = ("images/gone",) * 40
    (dataset / "images" / "gone").mkdir()  # what cannot be read, and is there
    assert embed(worker, Shard(0, gone[:31]))["failed"] == ""
    assert "32 photos in a row could not be read" in embed(worker, Shard(0, gone))["failed"]

"""What a process of a cluster makes of a piece, and what it says when its machine is not as it should be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from scin.building.local import LocalEngine
from scin.building.packing import unpack
from scin.building.photos import Row
from scin.building.piece import Job, Worker, pieces
from scin.building.shards import Shard, plan_shards
from scin.building.stages import Stages
from storage import open_storage
from tests.unit.ml.tiny_models import DIMENSION, tiny_encoder
from tests.unit.scin.scin_folder import case, label, write_photo, write_tables

PHOTOS = Shard(0, tuple(f"images/{n}.png" for n in range(12)), frozenset({"images/1.png"}))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Photo 7 is the photo 2 again, 3 is damaged and 5 is missing."""
    folder = write_tables(tmp_path / "dataset", [case("1", "0.png")], [label("1", {"Acne": 1.0})])
    for n in range(len(PHOTOS.paths)):
        write_photo(folder, f"{n}.png", seed=2 if n == 7 else n)
    (folder / "images" / "3.png").write_bytes(b"GIF89a")
    (folder / "images" / "5.png").unlink()
    return folder


def job_of(dataset: Path, fingerprint: str = "f" * 64) -> Job:
    """As a machine asks whose weights have this fingerprint."""
    return Job.of(open_storage(str(dataset)), tiny_encoder, tiny_encoder(fingerprint))


def facts(row: Row) -> tuple[object, ...]:
    return row.path, row.digest, row.thumbnail, row.skipped, row.monk


def test_a_piece_is_embedded_as_by_the_local_engine(dataset: Path) -> None:
    embedded = Worker(job_of(dataset)).embed(PHOTOS)
    local = LocalEngine(open_storage(str(dataset)), tiny_encoder())
    [(_, expected)] = local.embed([PHOTOS], {}, Stages(), lambda _: None)
    found = list(unpack(embedded.rows, DIMENSION))
    assert [facts(row) for row in found] == [facts(row) for row in expected]
    assert [row.path for row in found if row.vector is None] == [PHOTOS.paths[n] for n in (3, 5, 7)]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.vector, theirs.vector)
    counted = {stage: photos for stage, (photos, _) in json.loads(embedded.stages).items()}
    assert counted == {"read": 12, "decode": 12, "encode": 9}


def test_pieces_keep_the_order_and_end_with_their_shard() -> None:
    paths = [str(n) for n in range(150)]
    parts = pieces(plan_shards(paths, 70, frozenset({"3", "140"})))
    assert [path for part in parts for path in part.paths] == paths
    assert [len(part.paths) for part in parts] == [32, 32, 6, 32, 32, 6, 10]
    assert [list(part.untoned) for part in parts] == [["3"], [], [], [], [], [], ["140"]]


def test_a_relative_folder_means_that_of_the_machine_that_asks(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(dataset.parent)
    job = Job.of(open_storage("dataset"), tiny_encoder, tiny_encoder())
    monkeypatch.chdir("/")
    assert Worker(job).embed(PHOTOS).failed == ""


def test_other_weights_are_told(dataset: Path) -> None:
    embedded = Worker(job_of(dataset, fingerprint="0" * 64)).embed(PHOTOS)
    assert embedded.failed == "tiny has other weights there than on the machine that asks."
    assert embedded.rows == b""


def test_another_dataset_under_the_same_name_is_told(dataset: Path) -> None:
    job = job_of(dataset)
    write_tables(dataset, [case("9", "0.png")], [])
    assert "holds another scin_cases.csv there" in Worker(job).embed(PHOTOS).failed


def test_a_folder_that_is_not_there_is_told(dataset: Path) -> None:
    job = job_of(dataset)
    shutil.rmtree(dataset)
    assert "does not exist" in Worker(job).embed(PHOTOS).failed


def test_a_store_that_has_gone_is_told(dataset: Path) -> None:
    job = job_of(dataset)
    (dataset / "images" / "gone").mkdir()  # what cannot be read, and is there
    assert Worker(job).embed(Shard(0, ("images/gone",) * 31)).failed == ""
    assert "32 photos in a row could not be read" in Worker(job).embed(Shard(0, ("images/gone",) * 40)).failed

"""A build that goes on from an earlier one: nothing is embedded twice, and the result is the uninterrupted one's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ml.errors import ModelError
from ml.imaging.decode import decode
from ml.models.encoder import Encoder
from ml.models.preprocess import to_batch
from scin.build import BuildError, build
from scin.build.embed import UNREADABLE_MOST
from scin.build.shards import Recipe, ShardFolder, plan_shards
from scin.index.manifest import Manifest
from storage import ObjectInfo, Storage, StorageError, open_storage
from storage.work_folder import FolderInUseError
from tests.unit.ml.tiny_models import ENCODER_SPEC, RecordingRuntime, tiny_encoder
from tests.unit.scin.scin_folder import case, label, write_photo, write_tables

PHOTOS, SHARD = 40, 8


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Photos 20 to 39 are the photos 0 to 19 again, but 33."""
    rows = [case(str(n), f"{n}.png") for n in range(PHOTOS)]
    folder = write_tables(tmp_path / "dataset", rows, [label(str(n), {"Acne": 1.0}) for n in range(PHOTOS)])
    for n in range(PHOTOS):
        write_photo(folder, f"{n}.png", seed=99 if n == 33 else n % 20)
    return folder


class Failing:
    """A store that fails for some photos while ``lost`` names them."""

    def __init__(self, store: Storage, lost: Sequence[int] = ()) -> None:
        self.uri = store.uri
        self.lost = {f"images/{n}.png" for n in lost}
        self._store = store

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._store.list(prefix)

    def read(self, name: str) -> bytes:
        if name in self.lost:
            raise StorageError("503")
        return self._store.read(name)


def run(store: Storage, out: Path, encoder: Encoder | None = None, **options: object) -> Manifest:
    shards = out.with_name("shards")
    chosen = {"name": "made", "shards": shards, "resume": True, "shard_photos": SHARD} | options
    return build(store, out, encoder or tiny_encoder(), **chosen)  # type: ignore[arg-type]


def encoded(encoder: Encoder) -> int:
    assert isinstance(encoder.runtime, RecordingRuntime)
    return sum(encoder.runtime.batches)


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture
def whole(dataset: Path, tmp_path: Path) -> dict[str, bytes]:
    """What an uninterrupted build makes."""
    run(open_storage(str(dataset)), tmp_path / "whole" / "index")
    return contents(tmp_path / "whole" / "index")


@pytest.mark.parametrize("limit", [1, 8, 13, 24, 39])
def test_all_cases_after_the_first_ones(dataset: Path, tmp_path: Path, whole: dict[str, bytes], limit: int) -> None:
    store, first, rest = open_storage(str(dataset)), tiny_encoder(), tiny_encoder()
    run(store, tmp_path / "index", first, limit=limit)
    run(store, tmp_path / "index", rest)
    assert contents(tmp_path / "index") == whole
    assert encoded(rest) == PHOTOS - limit // SHARD * SHARD  # a part of a shard is made again


def test_an_encoder_that_dies_costs_the_shards_in_hand(dataset: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    store, good = open_storage(str(dataset)), tiny_encoder()
    assert isinstance(good.runtime, RecordingRuntime)
    # No other photo shows the picture of photo 33. The threads may embed the photos of two shards in any order.
    fatal = to_batch([decode(store.read("images/33.png")).rgb], ENCODER_SPEC.preprocess)

    def die(batch: np.ndarray) -> np.ndarray:
        if np.array_equal(batch, fatal):
            raise MemoryError
        return good.runtime.run(batch)[0]

    with pytest.raises(ModelError):
        run(store, tmp_path / "index", Encoder(ENCODER_SPEC, RecordingRuntime(die), good.fingerprint))
    assert not (tmp_path / "index").exists()
    rest = tiny_encoder()
    run(store, tmp_path / "index", rest)
    assert contents(tmp_path / "index") == whole
    assert encoded(rest) == PHOTOS - 33 // SHARD * SHARD


def test_without_resume_everything_is_embedded_again(dataset: Path, tmp_path: Path) -> None:
    store, again = open_storage(str(dataset)), tiny_encoder()
    run(store, tmp_path / "index")
    run(store, tmp_path / "index", again, resume=False)
    assert encoded(again) == PHOTOS


def test_photos_that_could_not_be_read_are_tried_again(dataset: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    """Photo 3 was lost while photo 23, the same picture, was there."""
    store = Failing(open_storage(str(dataset)), lost=[3])
    assert run(store, tmp_path / "index").skipped == {"image unreadable": 1}
    store.lost.clear()
    assert not run(store, tmp_path / "index").skipped
    assert contents(tmp_path / "index") == whole


def test_a_store_that_has_gone_ends_the_build_and_what_is_done_is_kept(tmp_path: Path) -> None:
    photos = 3 * UNREADABLE_MOST
    rows = [case(str(n), f"{n}.png") for n in range(photos)]
    folder = write_tables(tmp_path / "dataset", rows, [label(str(n), {"Acne": 1.0}) for n in range(photos)])
    for n in range(photos):
        write_photo(folder, f"{n}.png", seed=n)
    store, rest = Failing(open_storage(str(folder)), lost=range(UNREADABLE_MOST, photos)), tiny_encoder()
    with pytest.raises(BuildError, match="with --resume when the store answers again"):
        run(store, tmp_path / "index")
    store.lost.clear()
    assert run(store, tmp_path / "index", rest).vectors == photos
    assert encoded(rest) == photos - UNREADABLE_MOST


def test_a_missing_photo_keeps_no_shard_from_being_done(dataset: Path, tmp_path: Path) -> None:
    (dataset / "images" / "5.png").unlink()
    store, again = open_storage(str(dataset)), tiny_encoder()
    run(store, tmp_path / "index")
    assert run(store, tmp_path / "index", again).skipped == {"image missing": 1}
    assert encoded(again) == 0


def test_a_damaged_shard_is_made_again(dataset: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    store, rest = open_storage(str(dataset)), tiny_encoder()
    run(store, tmp_path / "index")
    shard = tmp_path / "shards" / "000001.parquet"
    shard.write_bytes(shard.read_bytes()[:-100])
    run(store, tmp_path / "index", rest)
    assert encoded(rest) == SHARD
    assert contents(tmp_path / "index") == whole


def test_another_encoder_does_not_go_on(dataset: Path, tmp_path: Path) -> None:
    store = open_storage(str(dataset))
    run(store, tmp_path / "index")
    with pytest.raises(BuildError, match="by another encoder"):
        run(store, tmp_path / "index", tiny_encoder("e" * 64))
    assert run(store, tmp_path / "index").vectors == 21


def test_two_builds_at_once(dataset: Path, tmp_path: Path) -> None:
    store = open_storage(str(dataset))
    run(store, tmp_path / "index")
    folder = ShardFolder(tmp_path / "shards", Recipe(store.uri, "f" * 64, 16, SHARD))
    with folder.locked(), pytest.raises(FolderInUseError, match="Another build is running"):
        run(store, tmp_path / "index")
    assert run(store, tmp_path / "index").vectors == 21


def test_more_photos_change_only_the_last_shard() -> None:
    photos = [str(n) for n in range(20)]
    few, many = plan_shards(photos[:13], 8), plan_shards(photos, 8)
    assert [len(shard.photos) for shard in many] == [8, 8, 4]
    assert few[0] == many[0]
    assert few[1].photos == many[1].photos[:5]

"""Dataset → index: what goes in, what is left out and counted, and that the folder is whole or not there."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.errors import ModelError
from ml.imaging.decode import decode
from ml.models.encoder import Encoder
from scin.build import BuildError, build
from scin.index.manifest import Manifest
from scin.index.search import SearchIndex, load_index
from storage import NotFoundError, open_storage
from tests.unit.ml.tiny_models import DIMENSION, ENCODER_SPEC, RecordingRuntime, tiny_encoder
from tests.unit.scin.scin_folder import case, label, write_photo, write_tables


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Six labelled cases: 1 to 3 photos, one photo shared, one copied under another name, one missing, one broken;
    and one case without a label."""
    cases = [
        case("10", "a.png"),
        case("-20", "b.png", "c.png"),
        case("30", "d.png", "e.png", "f.png"),
        case("40", "a.png", "copy of b.png"),
        case("50", "missing.png", "g.png"),
        case("60", "broken.png"),
        case("70", "h.png"),
    ]
    names = ("Eczema", "Acne", "Urticaria", "Psoriasis", "Insect Bite", "Folliculitis")
    labels = [label(row["case_id"], {name: 1.0}) for row, name in zip(cases, names, strict=False)]
    folder = write_tables(tmp_path / "dataset", cases, [*labels, label("70")])
    for seed, name in enumerate("abcdefgh"):
        write_photo(folder, f"{name}.png", seed, width=200 + 8 * seed)
    shutil.copy(folder / "images" / "b.png", folder / "images" / "copy of b.png")
    content = (folder / "images" / "a.png").read_bytes()
    (folder / "images" / "broken.png").write_bytes(content[: len(content) // 2])
    return folder


def make(dataset: Path, out: Path, encoder: Encoder | None = None, **options: int) -> Manifest:
    return build(open_storage(str(dataset)), out, encoder or tiny_encoder(), name="made", **options)  # type: ignore[arg-type]


def load(folder: Path) -> SearchIndex:
    return load_index(folder, encoder_fingerprint=tiny_encoder().fingerprint, dimension=DIMENSION)


def embed(dataset: Path, name: str) -> np.ndarray:
    return tiny_encoder().embed([decode((dataset / "images" / name).read_bytes()).rgb])


def test_the_manifest_tells_what_went_in(dataset: Path, tmp_path: Path) -> None:
    manifest = make(dataset, tmp_path / "index")
    assert (manifest.cases, manifest.images, manifest.vectors) == (5, 9, 7)
    assert manifest.skipped == {"image missing": 1, "image: damaged_image": 1, "no label": 1}
    assert (manifest.encoder, manifest.encoder_fingerprint) == ("tiny", tiny_encoder().fingerprint)
    assert (manifest.dimension, manifest.name, manifest.release) == (DIMENSION, "made", "1.0.0")
    assert not manifest.synthetic
    assert manifest.built_at == "2023-11-14T22:13:20+00:00"
    assert manifest.licence == "SCIN Data Use License"
    files = {"index.faiss", "cases.parquet", "thumbnails.bin", "embeddings.npy", "population.json"}
    assert set(manifest.files) == files


@pytest.mark.parametrize(
    ("photo", "cases"),
    [("c.png", {"-20"}), ("f.png", {"30"}), ("g.png", {"50"}), ("a.png", {"10", "40"}), ("b.png", {"-20", "40"})],
)
def test_each_photo_finds_the_cases_that_it_is_in(dataset: Path, tmp_path: Path, photo: str, cases: set[str]) -> None:
    make(dataset, tmp_path / "index")
    found = load(tmp_path / "index").search(embed(dataset, photo), 5).cases
    assert {case.case_id for case in found if case.similarity > 0.9999} == cases


def test_thumbnails_belong_to_their_photos(dataset: Path, tmp_path: Path) -> None:
    make(dataset, tmp_path / "index")
    index = load(tmp_path / "index")
    for case_id, names in {"10": "a", "-20": "bc", "30": "def", "40": "ab", "50": "g"}.items():
        for place, name in enumerate(names):
            small = np.asarray(Image.open(BytesIO(index.thumbnail(case_id, place) or b"")).convert("RGB"))
            photo = decode((dataset / "images" / f"{name}.png").read_bytes()).rgb
            assert max(small.shape) == 160
            assert small.mean(axis=(0, 1)) == pytest.approx(photo.mean(axis=(0, 1)), abs=4)
        assert index.thumbnail(case_id, len(names)) is None


def test_a_case_without_a_readable_photo_or_a_label_is_not_in_the_index(dataset: Path, tmp_path: Path) -> None:
    make(dataset, tmp_path / "index")
    index = load(tmp_path / "index")
    found = index.search(embed(dataset, "h.png"), 100).cases
    assert {case.case_id for case in found} == {"10", "-20", "30", "40", "50"}
    assert index.thumbnail("60", 0) is index.thumbnail("70", 0) is None


def test_the_same_dataset_is_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "copy")
    for source, out in ((dataset, "one"), (tmp_path / "copy", "two")):
        make(source, tmp_path / out)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / out).iterdir()} for out in ("one", "two"))
    assert len(one) == 6
    assert one == two


def test_only_the_first_cases_may_be_taken(dataset: Path, tmp_path: Path) -> None:
    manifest = make(dataset, tmp_path / "index", limit=2)
    assert (manifest.cases, manifest.images) == (2, 3)


def test_progress_reaches_the_number_of_photos(dataset: Path, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    build(
        open_storage(str(dataset)),
        tmp_path / "index",
        tiny_encoder(),
        name="made",
        progress=lambda done, total: heard.append((done, total)),
    )
    assert heard[-1] == (10, 10)
    assert heard == sorted(heard)


def test_more_photos_than_are_held_at_once(tmp_path: Path) -> None:
    """The last photo is a copy of the first, which was written many batches before."""
    numbers = range(70)
    cases, labels = [case(str(n), f"{n}.png") for n in numbers], [label(str(n), {"Acne": 1.0}) for n in numbers]
    dataset = write_tables(tmp_path / "many", cases, labels)
    for n in numbers:
        write_photo(dataset, f"{n}.png", seed=n % 69)
    assert make(dataset, tmp_path / "index").vectors == 69
    index = load(tmp_path / "index")
    for n in (7, 8, 63, 68):
        assert index.search(embed(dataset, f"{n}.png"), 1).cases[0].case_id == str(n)
    twins = index.search(embed(dataset, "69.png"), 2).cases
    assert [case.case_id for case in twins] == ["0", "69"]


def test_an_index_is_replaced_as_a_whole(dataset: Path, tmp_path: Path) -> None:
    make(dataset, tmp_path / "index", limit=1)
    (tmp_path / "index" / "left over.txt").write_text("x")
    make(dataset, tmp_path / "index")
    assert len(list((tmp_path / "index").iterdir())) == 6
    assert load(tmp_path / "index").info.cases == 5


@pytest.mark.parametrize("limit", [None, 1])
def test_nothing_to_index(tmp_path: Path, limit: int | None) -> None:
    dataset = write_tables(
        tmp_path / "dataset", [case("1", "gone.png")], [label("1", {"Acne": 1.0} if limit else None)]
    )
    with pytest.raises(BuildError, match="nothing to index"):
        make(dataset, tmp_path / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_a_failure_leaves_the_old_index_and_no_rest(dataset: Path, tmp_path: Path) -> None:
    make(dataset, tmp_path / "index", limit=1)

    def fail(_: np.ndarray) -> np.ndarray:
        raise MemoryError

    with pytest.raises(ModelError):
        make(dataset, tmp_path / "index", Encoder(ENCODER_SPEC, RecordingRuntime(fail), ""))
    assert load(tmp_path / "index").info.cases == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "index"]


def test_a_folder_of_something_else_is_never_replaced(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"precious")
    (tmp_path / "file").write_bytes(b"precious")
    for out in ("photos", "file"):
        with pytest.raises(BuildError, match="was not made by this command"):
            make(dataset, tmp_path / out)
    assert (tmp_path / "photos" / "holiday.jpg").read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"precious"


def test_an_empty_folder_may_be_used(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    assert make(dataset, tmp_path / "index").cases == 5


def test_a_folder_without_tables(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match=r"scin_labels\.csv"):
        make(tmp_path / "empty", tmp_path / "index")


def test_photos_names_cannot_lead_out_of_the_dataset(dataset: Path, tmp_path: Path) -> None:
    shutil.copy(dataset / "images" / "a.png", tmp_path / "outside.png")
    row = {**case("80", "a.png"), "image_2_path": "../outside.png"}
    write_tables(dataset, [row], [label("80", {"Acne": 1.0})])
    manifest = make(dataset, tmp_path / "index")
    assert (manifest.images, manifest.skipped) == (1, {"image unreadable": 1})

"""The synthetic dataset on disk: same bytes for the same seed, and never half a dataset."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest
from PIL import Image

from scin.synthetic import generate_dataset, plan_cases
from scin.synthetic.tables import CASE_COLUMNS, LABEL_COLUMNS

CASES, SEED = 6, 21


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "one"
    generate_dataset(folder, CASES, SEED)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    generate_dataset(tmp_path / "two", CASES, SEED)
    assert contents(tmp_path / "two") == contents(made)


def test_another_seed_gives_another_dataset(made: Path, tmp_path: Path) -> None:
    generate_dataset(tmp_path / "other", 1, SEED + 1)
    assert not set(contents(tmp_path / "other")) & {name for name in contents(made) if name.endswith(".png")}


def test_tables_and_photos_fit_together(made: Path) -> None:
    cases, labels = (_read(made / f"dataset/scin_{name}.csv") for name in ("cases", "labels"))
    assert tuple(cases[0]) == CASE_COLUMNS
    assert tuple(labels[0]) == LABEL_COLUMNS
    expected = [spec.case_id for spec in plan_cases(CASES, SEED)]
    assert [row["case_id"] for row in cases] == [row["case_id"] for row in labels] == expected
    named = [row[f"image_{n}_path"] for row in cases for n in (1, 2, 3) if row[f"image_{n}_path"]]
    on_disk = [name for name in contents(made) if name.endswith(".png")]
    assert sorted(named) == sorted(on_disk)
    truth = _read(made / "dataset/synthetic_truth.csv")
    assert sorted(row["image_path"] for row in truth) == sorted(named)


def test_photos_are_8_bit_rgb_and_never_twice_the_same(made: Path) -> None:
    photos = sorted((made / "dataset/images").iterdir())
    assert len(photos) == sum(len(spec.views) for spec in plan_cases(CASES, SEED))
    assert len({hashlib.sha256(photo.read_bytes()).digest() for photo in photos}) == len(photos)
    for photo in photos:
        with Image.open(photo) as image:
            assert (image.mode, image.format) == ("RGB", "PNG")
            assert min(image.size) >= 352


def test_the_dataset_says_that_it_is_synthetic(made: Path) -> None:
    assert "NOT PHOTOGRAPHS OF PEOPLE" in (made / "README.txt").read_text(encoding="utf-8")
    assert "synthetic" in (made / "LICENSE.txt").read_text(encoding="utf-8")
    assert {row["release"] for row in _read(made / "dataset/scin_cases.csv")} == {"SYNTHETIC-1"}


def test_progress_counts_every_case(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    generate_dataset(tmp_path / "set", 3, SEED, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_dataset(tmp_path / "set", 4, SEED, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_nothing_bears_the_final_name_until_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    there: list[bool] = []
    generate_dataset(folder, 2, SEED, progress=lambda done, total: there.append(folder.exists()))
    assert there == [False, False]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_folder_with_content_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not an empty folder"):
        generate_dataset(tmp_path, 1, SEED)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("cases", [0, -1])
def test_impossible_orders_are_refused(tmp_path: Path, cases: int) -> None:
    with pytest.raises(ValueError, match="must"):
        generate_dataset(tmp_path / "set", cases, SEED)
    assert list(tmp_path.iterdir()) == []


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))

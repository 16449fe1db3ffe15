"""SCIN 1.0.0 itself, where its tables are at hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from scin.synthetic.tables import CASE_COLUMNS, LABEL_COLUMNS
from tests.unit.scin.scin_folder import read


@pytest.fixture(scope="module")
def scin(shared_data: Path) -> Path:
    return shared_data / "scin"


def test_the_real_tables(scin: Path) -> None:
    dataset = read(scin)
    labelled = [case for case in dataset.cases if case.label.weights]
    images = [image.path for case in dataset.cases for image in case.images]
    tops = Counter(case.label.top for case in labelled)
    assert (len(dataset.cases), dataset.skipped, dataset.synthetic) == (5033, {}, False)
    assert (len(labelled), len(tops)) == (3061, 211)
    assert tops.most_common(5) == [
        ("Eczema", 488),
        ("Allergic Contact Dermatitis", 270),
        ("Urticaria", 214),
        ("Insect Bite", 185),
        ("Folliculitis", 142),
    ]
    assert len(images) == 10407
    assert sum(count for count in Counter(images).values() if count > 1) == 42
    assert all(path.startswith("images/") and path.endswith(".png") for path in images)


def test_the_real_cases_are_typed_whole(scin: Path) -> None:
    cases = read(scin).cases
    assert len({case.case_id for case in cases}) == 5033
    assert sum(case.case_id.startswith("-") for case in cases) > 2000
    assert sum(1 for case in cases if case.label.dermatologists and not case.label.weights) == 48
    assert all(abs(sum(case.label.weights.values()) - 1) < 0.035 for case in cases if case.label.weights)
    assert {tone for case in cases for tone in (case.monk_us, case.monk_india)} <= {None, *range(1, 11)}


def test_the_real_columns_are_the_ones_that_tests_write(scin: Path) -> None:
    for name, columns in (("scin_cases.csv", CASE_COLUMNS), ("scin_labels.csv", LABEL_COLUMNS)):
        with (scin / name).open(encoding="utf-8") as file:
            assert file.readline().strip().split(",") == list(columns)

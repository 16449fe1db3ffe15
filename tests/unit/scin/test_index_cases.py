"""The table of cases beside an index: what is written is read again, in the same bytes each time."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from scin.build.photos import thumbnail
from scin.dataset import Case, ImageRef, Label
from scin.index.cases import (
    CASES_TABLE,
    CaseTable,
    StoredCase,
    StoredPhoto,
    read_cases,
    write_cases,
)
from tests.unit.scin.index_folder import stored

CASE = Case(
    case_id="-1000600354148496558",
    source="SCIN",
    release="1.0.0",
    age_group="AGE_30_TO_39",
    sex="FEMALE",
    body_parts=("arm", "leg"),
    images=(ImageRef("images/a.png", "CLOSE_UP"),),
    label=Label(("Eczema",), {"Psoriasis": 0.4, "Eczema": 0.6}, 1),
    fitzpatrick_self="FST2",
    fitzpatrick_labels=("FST2", "FST3"),
    monk_india=2,
    monk_us=None,
)


def test_cases_come_back_as_they_were(tmp_path: Path) -> None:
    bare = replace(
        stored("5", (0,)), agreement=None, fitzpatrick_self=None, fitzpatrick_labels=(), body_parts=(), monk_india=None
    )
    cases = (StoredCase.of(CASE, [StoredPhoto(3, 2**40, 17, "CLOSE_UP"), StoredPhoto(4, 0, 1, None)]), bare)
    write_cases(tmp_path, cases)
    assert read_cases(tmp_path) == cases


def test_an_index_of_an_earlier_version_knows_no_patients(tmp_path: Path) -> None:
    write_cases(tmp_path, [stored("5", (0,))])
    table = pq.read_table(tmp_path / CASES_TABLE)
    pq.write_table(table.drop_columns(["patient_id", "seen"]), tmp_path / CASES_TABLE)
    assert read_cases(tmp_path) == (stored("5", (0,)),)


def test_cases_of_several_parts_of_the_file_come_back_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scin.index.cases._GROUP", 2)
    cases = tuple(
        replace(stored(str(n), tuple(range(n % 4)), {f"Condition {n}": 0.5, "Acne": 0.5}), monk_us=None if n % 2 else n)
        for n in range(7)
    )
    write_cases(tmp_path, cases)
    assert read_cases(tmp_path) == cases


def test_names_have_their_row_and_their_place_in_the_alphabet(tmp_path: Path) -> None:
    ids = ["-3", "12", "é", "9", "-20", "Z", "1"]
    write_cases(tmp_path, [stored(case_id, (0,)) for case_id in ids])
    table = CaseTable(tmp_path)
    assert [table.value(row, "case_id") for row in range(len(table))] == ids
    assert [len(table.photos(case_id)) for case_id in (*ids, "none")] == [1] * len(ids) + [0]
    assert np.argsort(table.ranks()).tolist() == sorted(range(len(ids)), key=lambda row: ids[row])


def test_the_order_of_a_differential_is_kept(tmp_path: Path) -> None:
    write_cases(tmp_path, [StoredCase.of(CASE, [])])
    (case,) = read_cases(tmp_path)
    assert list(case.differential) == ["Psoriasis", "Eczema"]
    assert case.agreement == 1.0


def test_the_same_cases_are_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_cases(tmp_path / name, [StoredCase.of(CASE, []), stored("5", (0, 1))])
        written.append((tmp_path / name / CASES_TABLE).read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("size", "expected"),
    [((400, 300), (160, 120)), ((300, 400), (120, 160)), ((2048, 1), (160, 1)), ((90, 70), (90, 70))],
)
def test_a_thumbnail_is_a_small_webp_in_the_photos_proportions(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    data = thumbnail(np.full((size[1], size[0], 3), (200, 150, 120), np.uint8))
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("WEBP", expected)
        assert not image.getexif()
        assert image.convert("RGB").getpixel((0, 0)) == pytest.approx((200, 150, 120), abs=4)
    assert len(data) < 8000

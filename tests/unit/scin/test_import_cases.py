"""How photos become cases: SCIN's layout has one label and at most three photos for each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scin.importing.facts_of_people import age_group, body_part, sex, skin_type
from tests.unit.scin.labelled_folder import imported, paint, table
from tests.unit.scin.scin_folder import read


def rows(count: int, **stated: str) -> list[dict[str, str]]:
    return [{"file": f"{number}.png", "label": "nv", **stated} for number in range(count)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(8):
        paint(tmp_path / f"photos/{number}.png", number)
    return tmp_path / "photos"


def test_a_case_of_many_photos_is_split_and_stays_together(photos: Path, tmp_path: Path) -> None:
    report = imported(table(photos / "t.csv", rows(8, lesion_id="L")), tmp_path / "out")
    assert (report.cases, report.photos) == (3, 8)
    assert report.notes == {"cases with more than three photos, split": 1}
    dataset = read(tmp_path / "out")
    assert [len(case.images) for case in dataset.cases] == [3, 3, 2]
    assert len({case.patient_id for case in dataset.cases} - {None}) == 1
    assert report.patients == 0  # the source names no person


def test_a_case_whose_photos_have_different_labels_is_split_and_stays_together(photos: Path, tmp_path: Path) -> None:
    stated = rows(2, case_id="C")
    stated[1]["label"] = "mel"
    report = imported(table(photos / "t.csv", stated), tmp_path / "out")
    assert report.notes == {"cases whose photos have different labels, split": 1}
    first, second = read(tmp_path / "out").cases
    assert (first.label.top, second.label.top) == ("Melanocytic nevus", "Melanoma")
    assert first.patient_id == second.patient_id is not None


def test_a_split_case_stays_with_the_other_cases_of_its_patient(photos: Path, tmp_path: Path) -> None:
    stated = rows(6, lesion_id="L", patient_id="P")
    stated[5]["lesion_id"] = "M"
    imported(table(photos / "t.csv", stated), tmp_path / "out")
    cases = read(tmp_path / "out").cases
    assert [len(case.images) for case in cases] == [3, 2, 1]
    assert len({case.patient_id for case in cases}) == 1


def test_the_same_lesion_number_of_two_patients_is_two_cases(photos: Path, tmp_path: Path) -> None:
    stated = rows(2, lesion_id="1", patient_id="P")
    stated[1]["patient_id"] = "Q"
    imported(table(photos / "t.csv", stated), tmp_path / "out")
    first, second = read(tmp_path / "out").cases
    assert first.patient_id != second.patient_id


def test_a_photo_that_a_case_has_twice_is_counted(photos: Path, tmp_path: Path) -> None:
    (photos / "1.png").write_bytes((photos / "0.png").read_bytes())
    report = imported(table(photos / "t.csv", rows(3, lesion_id="L")), tmp_path / "out")
    assert (report.cases, report.photos) == (1, 2)
    assert report.skipped == {"copy of another photo of the case": 1}
    assert len(list((tmp_path / "out/images").iterdir())) == 2


def test_ids_are_signed_64_bit_numbers_and_say_nothing(photos: Path, tmp_path: Path) -> None:
    imported(table(photos / "t.csv", rows(8, patient_id="17")), tmp_path / "out")
    cases = read(tmp_path / "out").cases
    ids = {case.case_id for case in cases} | {case.patient_id for case in cases}
    assert len(ids) == 9
    assert all(one and re.fullmatch("-?[0-9]+", one) and -(2**63) <= int(one) < 2**63 for one in ids)
    assert "17" not in ids


@pytest.mark.parametrize(
    ("age", "group"),
    [
        ("18", "AGE_18_TO_29"),
        ("29.9", "AGE_18_TO_29"),
        ("45.0", "AGE_40_TO_49"),
        ("79", "AGE_70_TO_79"),
        ("80", "AGE_80_OR_ABOVE"),
        ("17", ""),
        ("121", ""),
        ("nan", ""),
        ("old", ""),
        ("", ""),
    ],
)
def test_an_age_becomes_scins_group(age: str, group: str) -> None:
    assert age_group(age) == group


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("head/neck", "head_or_neck"),
        ("HEAD OR NECK", "head_or_neck"),
        ("anterior torso", "torso_front"),
        ("lower extremity", "leg"),
        ("trunk", "other"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_a_body_site_becomes_scins_part(text: str, part: str) -> None:
    assert body_part(text) == part


@pytest.mark.parametrize(
    ("text", "found"),
    [("5", "FST5"), ("2.0", "FST2"), ("IV", "FST4"), ("FST3", "FST3"), ("-1", ""), ("2.5", ""), ("", "")],
)
def test_a_skin_type_becomes_scins(text: str, found: str) -> None:
    assert skin_type(text) == found


def test_a_sex_becomes_scins() -> None:
    assert [sex(text) for text in ("female", "M", "unknown", "")] == ["FEMALE", "MALE", "", ""]

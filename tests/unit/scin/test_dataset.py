"""SCIN's two CSV files → cases: the join, the flags, the literals."""

from __future__ import annotations

from pathlib import Path

import pytest

from scin.dataset import Case, ImageRef
from tests.unit.scin.scin_folder import Row, case, label, read, write_tables


def only(folder: Path, row: Row, graded: Row) -> Case:
    dataset = read(write_tables(folder, [row], [graded]))
    assert dataset.skipped == {}
    (found,) = dataset.cases
    return found


def test_a_full_row(tmp_path: Path) -> None:
    found = only(
        tmp_path,
        case(
            "-1000600354148496558",
            "-32.png",
            "7.png",
            age_group="AGE_30_TO_39",
            sex_at_birth="FEMALE",
            fitzpatrick_skin_type="FST2",
            body_parts_arm="YES",
            body_parts_torso_back="YES",
            image_2_shot_type="AT_AN_ANGLE",
        ),
        label(
            "-1000600354148496558",
            {"Eczema": 0.41, "Inflicted skin lesions": 0.41, "Irritant Contact Dermatitis": 0.18},
            dermatologist_gradable_for_skin_condition_2="NO_IMAGE_QUALITY_INSUFFICIENT",
            dermatologist_fitzpatrick_skin_type_label_1="FST2",
            dermatologist_fitzpatrick_skin_type_label_3="FST3",
            monk_skin_tone_label_india="2",
            monk_skin_tone_label_us="10",
        ),
    )
    assert found.case_id == "-1000600354148496558"
    assert found.images == (ImageRef("images/-32.png", "CLOSE_UP"), ImageRef("images/7.png", "AT_AN_ANGLE"))
    assert (found.age_group, found.sex, found.fitzpatrick_self) == ("AGE_30_TO_39", "FEMALE", "FST2")
    assert found.body_parts == ("arm", "torso_back")
    assert found.fitzpatrick_labels == ("FST2", "FST3")
    assert (found.monk_india, found.monk_us) == (2, 10)
    assert (found.source, found.release) == ("SCIN", "1.0.0")
    assert found.label.conditions == ("Eczema", "Inflicted skin lesions", "Irritant Contact Dermatitis")
    assert found.label.weights == {"Eczema": 0.41, "Inflicted skin lesions": 0.41, "Irritant Contact Dermatitis": 0.18}
    assert found.label.dermatologists == 1


def test_an_empty_row_says_nothing_rather_than_something(tmp_path: Path) -> None:
    found = only(tmp_path, case("5", "a.png", image_1_shot_type=""), label("5"))
    assert (found.age_group, found.sex, found.fitzpatrick_self, found.monk_india, found.monk_us) == (None,) * 5
    assert (found.body_parts, found.fitzpatrick_labels) == ((), ())
    assert found.images == (ImageRef("images/a.png", None),)
    assert found.label.weights == {}
    assert found.label.dermatologists == 0


@pytest.mark.parametrize(
    ("column", "word"),
    [
        ("age_group", "AGE_UNKNOWN"),
        ("sex_at_birth", "OTHER_OR_UNSPECIFIED"),
        ("fitzpatrick_skin_type", "NONE_IDENTIFIED"),
    ],
)
def test_scins_words_for_unknown(tmp_path: Path, column: str, word: str) -> None:
    found = only(tmp_path, case("5", "a.png", **{column: word}), label("5"))
    assert (found.age_group, found.sex, found.fitzpatrick_self) == (None, None, None)


@pytest.mark.parametrize("flag", ["", "NO", "yes", "True"])
def test_a_flag_is_yes_or_it_is_not_set(tmp_path: Path, flag: str) -> None:
    assert only(tmp_path, case("5", "a.png", body_parts_leg=flag), label("5")).body_parts == ()


@pytest.mark.parametrize(
    ("text", "tone"), [("3", 3), ("3.0", 3), ("0", None), ("11", None), ("x", None), ("inf", None)]
)
def test_monk_tones_are_one_to_ten(tmp_path: Path, text: str, tone: int | None) -> None:
    assert only(tmp_path, case("5", "a.png"), label("5", monk_skin_tone_label_us=text)).monk_us == tone


def test_an_image_in_the_second_place_only_is_taken(tmp_path: Path) -> None:
    row = {**case("5", "a.png"), "image_1_path": "", "image_3_path": "dataset/images/c.png"}
    assert [image.path for image in only(tmp_path, row, label("5")).images] == ["images/c.png"]


@pytest.mark.parametrize("case_id", ["0", "9223372036854775807", "-9223372036854775808", "0012"])
def test_case_ids_are_kept_as_they_are_written(tmp_path: Path, case_id: str) -> None:
    assert only(tmp_path, case(case_id, "a.png"), label(case_id)).case_id == case_id


def test_rows_are_joined_by_id_in_the_order_of_the_cases(tmp_path: Path) -> None:
    cases = [case(str(n), f"{n}.png") for n in (3, -1, 2)]
    labels = [label(str(n), {f"C{n}": 1.0}) for n in (2, 3, -1, 99)]
    dataset = read(write_tables(tmp_path, cases, labels))
    assert [(c.case_id, c.label.top) for c in dataset.cases] == [("3", "C3"), ("-1", "C-1"), ("2", "C2")]

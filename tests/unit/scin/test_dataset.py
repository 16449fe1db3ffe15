"""SCIN's two CSV files → cases: the join, the flags, the literals, and what is counted instead of guessed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from scin.dataset import read_dataset
from scin.records import Case, ImageRef
from scin.synthetic.columns import CASE_COLUMNS, LABEL_COLUMNS
from storage import NotFoundError, ObjectInfo, StorageError, open_storage
from tests.unit.scin.scin_folder import MODIFIED, Row, case, label, read, write_tables

WEIGHTS = "weighted_skin_condition_label"
NAMES = "dermatologist_skin_condition_on_label_name"
CONFIDENCES = "dermatologist_skin_condition_confidence"


def only(folder: Path, row: Row, graded: Row) -> Case:
    dataset = read(write_tables(folder, [row], [graded]))
    assert dataset.skipped == {}
    (found,) = dataset.cases
    return found


def reason(folder: Path, row: Row, graded: Row) -> str:
    """Why the row was not taken; a good one beside it was."""
    dataset = read(write_tables(folder, [row, case("1", "good.png")], [graded, label("1")]))
    assert [found.case_id for found in dataset.cases] == ["1"]
    ((why, count),) = dataset.skipped.items()
    assert count == 1
    return why


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
    assert (found.source, found.release, found.year) == ("SCIN", "1.0.0", "2023")
    assert found.label.conditions == ("Eczema", "Inflicted skin lesions", "Irritant Contact Dermatitis")
    assert found.label.confidences == (3, 3, 3)
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


@pytest.mark.parametrize(("text", "tone"), [("3", 3), ("3.0", 3), ("0", None), ("11", None), ("x", None), ("inf", None)])
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


# what is counted


def test_a_case_without_a_label_row(tmp_path: Path) -> None:
    assert reason(tmp_path, case("7", "a.png"), label("8")) == "no row in the labels file"


def test_a_case_without_a_photo(tmp_path: Path) -> None:
    assert reason(tmp_path, case("7"), label("7")) == "no image"


@pytest.mark.parametrize("case_id", ["", "x", "--5", "1.5", "²", "1e5", "../7", "99999999999999999999"])
def test_an_id_that_is_no_number(tmp_path: Path, case_id: str) -> None:
    assert reason(tmp_path, case(case_id, "a.png"), label(case_id)) == "case_id is not a number"


def test_an_id_that_occurs_twice(tmp_path: Path) -> None:
    assert reason(tmp_path, case("1", "again.png"), label("1")) == "case_id occurs twice"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch ran')",
        "print('ran')",
        "[].__class__",
        "{'Eczema': open('ran', 'w')}",
        "{'Eczema': 1 if True else 0}",
        "lambda: 0",
        "{'Eczema': 0.5",
        "Eczema",
        "(" * 500 + ")" * 500,
        "\0",
    ],
)
def test_a_cell_that_is_no_literal_is_counted_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert reason(tmp_path / "data", case("7", "a.png"), label("7", **{WEIGHTS: text})) == "label is not a Python literal"
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize(
    ("column", "text", "why"),
    [
        (WEIGHTS, "['Eczema']", "label is not a dict"),
        (NAMES, "{'Eczema': 1}", "label is not a list"),
        (CONFIDENCES, "'4'", "label is not a list"),
        (CONFIDENCES, "['high']", "label values are not numbers"),
        (CONFIDENCES, "[1e999]", "label values are not numbers"),
        (WEIGHTS, "{'Eczema': 'much'}", "label values are not numbers"),
        (WEIGHTS, "{'Eczema': None}", "label values are not numbers"),
        (WEIGHTS, "{'Eczema': 1e999}", "label values are not numbers"),
        (WEIGHTS, "{'Eczema': 0.0}", "label values are not numbers"),
        (WEIGHTS, "{'Eczema': -0.5}", "label values are not numbers"),
    ],
)
def test_literals_of_another_kind(tmp_path: Path, column: str, text: str, why: str) -> None:
    assert reason(tmp_path, case("7", "a.png"), label("7", **{column: text})) == why


@pytest.mark.parametrize("line", ["7,SCIN,1.0.0", "7" + "," * len(CASE_COLUMNS)])
def test_rows_that_are_too_short_or_too_long(tmp_path: Path, line: str) -> None:
    write_tables(tmp_path, [case("1", "a.png")], [label("1"), label("7")])
    with (tmp_path / "scin_cases.csv").open("a") as file:
        file.write(line + "\r\n")
    dataset = read(tmp_path)
    assert len(dataset.cases) == 1
    assert dataset.skipped == {"wrong number of columns": 1}


def test_reasons_are_counted_one_by_one(tmp_path: Path) -> None:
    cases = [case("1", "a.png"), case("2"), case("3"), case("x", "a.png"), case("4", "b.png")]
    dataset = read(write_tables(tmp_path, cases, [label(row["case_id"]) for row in cases[:4]]))
    assert [c.case_id for c in dataset.cases] == ["1"]
    assert dataset.skipped == {"no image": 2, "case_id is not a number": 1, "no row in the labels file": 1}


# the files as files


def test_a_byte_order_mark_and_line_ends_of_any_kind_do_not_matter(tmp_path: Path) -> None:
    write_tables(tmp_path, [case("1", "a.png")], [label("1", {"Eczema": 1.0})])
    for name in ("scin_cases.csv", "scin_labels.csv"):
        content = (tmp_path / name).read_bytes().replace(b"\r\n", b"\n")
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + content)
    assert read(tmp_path).cases[0].label.top == "Eczema"


def test_names_with_commas_quotes_and_other_alphabets(tmp_path: Path) -> None:
    weights = {"Burn, 1st degree": 0.5, 'so-called "rash"': 0.3, "Lichen's": 0.1, "Ekzém": 0.1}
    assert only(tmp_path, case("1", "a.png"), label("1", weights)).label.weights == weights


def test_the_newer_files_time_is_the_datasets(tmp_path: Path) -> None:
    write_tables(tmp_path, [case("1", "a.png")], [label("1")])
    os.utime(tmp_path / "scin_labels.csv", (MODIFIED - 50, MODIFIED - 50))
    assert read(tmp_path).modified_at == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize("name", ["scin_cases.csv", "scin_labels.csv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_tables(tmp_path, [case("1", "a.png")], [label("1")])
    (tmp_path / name).unlink()
    with pytest.raises(NotFoundError, match=name):
        read(tmp_path)


@pytest.mark.parametrize("name", ["scin_cases.csv", "scin_labels.csv"])
@pytest.mark.parametrize("content", [b"", b"<html>", b"id,name\n1,2\n", b"case_id\n\xff\xfe\n", b'case_id\n"' + b"x" * 2**21])
def test_a_file_of_another_kind_is_named_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    write_tables(tmp_path, [case("1", "a.png")], [label("1")])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StorageError, match=name) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


class NoListing:
    """A store like a web server's: names must be known."""

    uri = "https://example.org/dataset"

    def __init__(self, folder: Path) -> None:
        self._folder = open_storage(str(folder))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        raise StorageError("no listing")

    def read(self, name: str) -> bytes:
        return self._folder.read(name)


def test_a_store_without_listing_is_read_too(tmp_path: Path) -> None:
    dataset = read_dataset(NoListing(write_tables(tmp_path, [case("1", "a.png")], [label("1")])))
    assert len(dataset.cases) == 1
    assert dataset.modified_at == "unknown"


def test_generated_cases_are_known_as_such(tmp_path: Path) -> None:
    real, made = case("1", "a.png"), case("2", "b.png", source="SYNTHETIC")
    assert not read(write_tables(tmp_path, [real], [label("1")])).synthetic
    assert read(write_tables(tmp_path, [real, made], [label("1"), label("2")])).synthetic


# SCIN 1.0.0 itself, where it is at hand


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
    assert all(len(case.label.conditions) == len(case.label.confidences) for case in cases)
    assert {tone for case in cases for tone in (case.monk_us, case.monk_india)} <= {None, *range(1, 11)}


def test_the_real_columns_are_the_ones_that_tests_write(scin: Path) -> None:
    for name, columns in (("scin_cases.csv", CASE_COLUMNS), ("scin_labels.csv", LABEL_COLUMNS)):
        with (scin / name).open(encoding="utf-8") as file:
            assert file.readline().strip().split(",") == list(columns)

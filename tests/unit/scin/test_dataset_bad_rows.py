"""Rows that cannot be a case are counted by reason; nothing in a cell is ever run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scin.synthetic.tables import CASE_COLUMNS
from tests.unit.scin.scin_folder import Row, case, label, read, write_tables

WEIGHTS = "weighted_skin_condition_label"
NAMES = "dermatologist_skin_condition_on_label_name"


def reason(folder: Path, row: Row, graded: Row) -> str:
    """Why the row was not taken; a good one beside it was."""
    dataset = read(write_tables(folder, [row, case("1", "good.png")], [graded, label("1")]))
    assert [found.case_id for found in dataset.cases] == ["1"]
    ((why, count),) = dataset.skipped.items()
    assert count == 1
    return why


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
    assert (
        reason(tmp_path / "data", case("7", "a.png"), label("7", **{WEIGHTS: text})) == "label is not a Python literal"
    )
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize(
    ("column", "text", "why"),
    [
        (WEIGHTS, "['Eczema']", "label is not a dict"),
        (NAMES, "{'Eczema': 1}", "label is not a list"),
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

"""Codes of known datasets, names of conditions, and when two labels mean the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from scin.labels import LabelError, Names, condition_name, is_missing, read_names


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("nv", "Melanocytic nevus"),
        ("NEV", "Melanocytic nevus"),
        ("nevus", "Melanocytic nevus"),
        ("mel", "Melanoma"),
        ("akiec", "Actinic keratosis / intraepithelial carcinoma"),
        ("ACK", "Actinic keratosis"),
        ("vasc", "Vascular lesion"),
        ("basal_cell_carcinoma", "basal_cell_carcinoma"),
        ("lichen planus", "lichen planus"),
    ],
)
def test_a_known_code_becomes_a_name_and_any_other_label_stays(label: str, name: str) -> None:
    assert condition_name(label) == name


def test_own_names_take_precedence() -> None:
    assert condition_name("nv", {"nv": "Mole"}) == "Mole"
    assert condition_name("mel", {"nv": "Mole"}) == "Melanoma"


@pytest.mark.parametrize("label", ["", " ", "nan", "N/A", "UNK", "unknown", "-"])
def test_some_words_mean_that_there_is_no_label(label: str) -> None:
    assert is_missing(label)


@pytest.mark.parametrize("label", ["nv", "None of the above", "Naevus"])
def test_other_words_are_labels(label: str) -> None:
    assert not is_missing(label)


@pytest.mark.parametrize(
    ("conditions", "label", "found"),
    [
        (["Melanocytic nevus", "Melanoma"], "NV", "Melanocytic nevus"),
        (["Melanocytic nevus", "Melanoma"], "melanocytic_nevus", "Melanocytic nevus"),
        (["nv", "mel"], "Melanocytic nevus", "nv"),
        (["SCC/SCCIS", "SK/ISK"], "SCC", "SCC/SCCIS"),
        (["SCC/SCCIS", "SK/ISK"], "seborrheic keratosis", "SK/ISK"),
        (["Basal Cell Carcinoma"], "bcc", "Basal Cell Carcinoma"),
        (["Nevus", "Melanocytic nevus"], "nevus", "Nevus"),
        (["Melanoma"], "Warts", None),
        ([], "mel", None),
    ],
)
def test_a_condition_is_found_by_code_and_by_name(conditions: list[str], label: str, found: str | None) -> None:
    assert Names(conditions).find(label) == found


def test_own_names_are_read_from_a_table(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("label,name\nA1, Acne \nB2,\n", encoding="utf-8-sig")
    assert read_names(tmp_path / "names.csv") == {"A1": "Acne"}


@pytest.mark.parametrize("text", [b"code,name\nA1,Acne\n", b"", b"label,name\n\xff\xfe,a\n"])
def test_a_table_of_names_that_cannot_be_used_is_an_error(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "names.csv").write_bytes(text)
    with pytest.raises(LabelError, match=r"names\.csv"):
        read_names(tmp_path / "names.csv")

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

import scin.dataset
from ml.models.phone_lesions import CLASSES
from ml.models.spec import LesionClass
from scin.dataset import icd_10, icd_10_codes
from scin.synthetic import CONDITIONS
from tests.unit.scin.scin_folder import read

CODE = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")


def test_every_code_has_icd_10_cms_form() -> None:
    assert len(icd_10_codes()) > 100
    assert all(CODE.fullmatch(code) for code in icd_10_codes().values())


def test_no_condition_has_two_codes() -> None:
    path = Path(scin.dataset.__file__).with_name("icd10.csv")
    with path.open(encoding="utf-8", newline="") as file:
        names = Counter(row["name"] for row in csv.DictReader(file))
    assert max(names.values()) == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Eczema", "L30.9"),
        ("eczema", "L30.9"),
        ("Allergic Contact Dermatitis", "L23.9"),
        ("Urticaria", "L50.9"),
        ("Psoriasis", "L40.9"),
        ("Melanoma", "C43.9"),
        ("Folliculitis", "L73.9"),
    ],
)
def test_codes_that_anyone_can_look_up(name: str, code: str) -> None:
    assert icd_10(name) == code


@pytest.mark.parametrize("name", ["", "Eczem", "Eczema of", "Something else"])
def test_an_unknown_name_has_no_code_rather_than_a_near_one(name: str) -> None:
    assert icd_10(name) is None


def test_every_condition_of_the_sample_has_a_code() -> None:
    assert all(icd_10(condition.name) for condition in CONDITIONS)


@pytest.mark.parametrize("lesion", CLASSES, ids=lambda lesion: lesion.code)
def test_an_imported_lesion_has_the_code_that_the_lesion_model_gives_it(lesion: LesionClass) -> None:
    assert icd_10(lesion.name) == lesion.icd_10


def test_the_codes_cover_what_dermatologists_name_most(shared_data: Path) -> None:
    labels = [case.label for case in read(shared_data / "scin").cases if case.label.weights]
    names = {name for label in labels for name in label.weights}
    assert set(icd_10_codes()) <= names | {one.name for one in CLASSES}
    assert sum(label.top in icd_10_codes() for label in labels) > 0.95 * len(labels)

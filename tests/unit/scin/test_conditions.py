"""What a condition is, in words for people."""

from __future__ import annotations

import re

import pytest

from ml.models.phone_lesions import CLASSES
from ml.models.registry import SKLESION
from scin.conditions import explain, explanations, lay_name, urgency
from scin.dataset import icd_10, icd_10_codes
from scin.synthetic.conditions import CONDITIONS

HOSTS = ("https://medlineplus.gov/", "https://dermnetnz.org/topics/")


def test_each_class_of_the_lesion_models_and_each_condition_of_the_sample_is_explained() -> None:
    classes = [*CLASSES, *(SKLESION.lesion.classes if SKLESION.lesion else ())]
    assert [one.name for one in (*classes, *CONDITIONS) if explain(one.name) is None] == []


def test_capitals_and_the_words_of_a_dataset_do_not_matter() -> None:
    assert explain("basal cell carcinoma") == explain("Basal Cell Carcinoma") is not None
    assert lay_name("Seborrheic keratosis") == lay_name("SK/ISK")
    assert icd_10("actinic keratosis") == icd_10("Actinic Keratosis") == "L57.0"
    assert len({name.casefold() for name in icd_10_codes()}) == len(icd_10_codes())


def test_an_unknown_condition_keeps_its_name_and_is_not_urgent() -> None:
    assert (explain("Nothing known"), lay_name("Nothing known"), urgency("Nothing known")) == (
        None,
        "Nothing known",
        "ordinary",
    )


@pytest.mark.parametrize("name", explanations())
def test_an_explanation_is_short_plain_and_gives_no_treatment(name: str) -> None:
    one = explanations()[name]
    assert one.urgency in ("today", "days", "ordinary")
    assert one.link.startswith(HOSTS)
    assert not one.lay_name.endswith(".")
    assert 1 <= len(re.findall(r"[.](?: |$)", one.about)) <= 2
    treatments = r"cream|steroid|antibiotic|ointment|tablet|treat|cure|pill"
    assert not re.search(treatments, f"{one.about} {one.lay_name}", re.IGNORECASE)


@pytest.mark.parametrize("name", ["Melanoma", "Squamous cell carcinoma", "Basal cell carcinoma", "Herpes Zoster"])
def test_what_a_doctor_should_see_soon_is_urgent(name: str) -> None:
    assert urgency(name) == "days"

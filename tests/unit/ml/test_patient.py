"""The numbers that the lesion classifier takes for a person, and the words that clients may use for a body site."""

from __future__ import annotations

import numpy as np
import pytest

from ml.models.patient import BODY_SITES, CANONICAL_SITES, canonical, filled_metadata, metadata_vector
from ml.values import Patient


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        (Patient(), [0, 0, 1, 0, 0, 0, 0, 1, 51.906 / 90, 1]),
        (Patient(age=45, sex="female", body_site="arm"), [1, 0, 0, 1, 0, 0, 0, 0, 0.5, 0]),
        (Patient(age=90, sex="male", body_site="head-or-neck"), [0, 1, 0, 0, 1, 0, 0, 0, 1, 0]),
        (Patient(age=0, sex="male", body_site="leg-or-genital"), [0, 1, 0, 0, 0, 1, 0, 0, 0, 0]),
        (Patient(age=9.0, body_site="trunk"), [0, 0, 1, 0, 0, 0, 1, 0, 0.1, 0]),
        (Patient(sex="female", body_site="unknown"), [1, 0, 0, 0, 0, 0, 0, 1, 51.906 / 90, 1]),
    ],
)
def test_the_vector(patient: Patient, expected: list[float]) -> None:
    found = metadata_vector(patient)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array(expected, np.float32))


def test_known_facts_are_not_filled_in() -> None:
    patient = Patient(age=45, sex="female", body_site="arm")
    assert np.array_equal(filled_metadata(patient), metadata_vector(patient))


def test_each_unknown_fact_is_its_mean_over_the_training_set() -> None:
    nothing, age = filled_metadata(Patient()), filled_metadata(Patient(age=45, body_site="unknown"))
    assert nothing == pytest.approx(np.array([0.457, 0.543, 0, 0.124, 0.112, 0.25, 0.514, 0, 51.906 / 90, 0]), abs=1e-3)
    assert np.array_equal(age[:8], nothing[:8])
    assert age[8:].tolist() == [0.5, 0]
    site = filled_metadata(Patient(body_site="trunk", sex="male"))
    assert site[:8].tolist() == [0, 1, 0, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("site", CANONICAL_SITES)
def test_sex_and_site_are_one_hot(site: str) -> None:
    vector = metadata_vector(Patient(body_site=site))
    assert vector[:3].sum() == vector[3:8].sum() == 1


@pytest.mark.parametrize(
    ("word", "site"),
    [
        ("arm", "arm"),
        ("Back of Hand", "arm"),
        ("back_of_hand", "arm"),
        ("HEAD/NECK", "head-or-neck"),
        ("head_or_neck", "head-or-neck"),
        ("  face ", "head-or-neck"),
        ("foot_top_or_side", "leg-or-genital"),
        ("genitalia_or_groin", "leg-or-genital"),
        ("torso front", "trunk"),
        ("lower-extremity", "leg-or-genital"),
        ("other", "unknown"),
    ],
)
def test_clients_words_for_a_site(word: str, site: str) -> None:
    assert canonical(word) == site


@pytest.mark.parametrize("word", ["", "moon", "arm leg", "0", "arm;drop"])
def test_a_word_that_names_no_site(word: str) -> None:
    assert canonical(word) is None


def test_every_word_leads_to_a_site_that_the_model_knows() -> None:
    assert set(BODY_SITES.values()) == set(CANONICAL_SITES)
    assert all(canonical(word) == site for word, site in BODY_SITES.items())


def test_the_datasets_own_words_are_known() -> None:
    """SCIN's body part columns, which clients copy."""
    words = "head_or_neck arm palm back_of_hand torso_front torso_back genitalia_or_groin buttocks leg foot_top_or_side"
    assert all(canonical(word) for word in [*words.split(), "foot_sole", "other"])

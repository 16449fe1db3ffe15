"""The ten numbers that the lesion classifier is told, in its published order."""

from __future__ import annotations

import numpy as np
import pytest

from ml.models.patient import metadata_vector
from ml.models.sites import CANONICAL_SITES
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


@pytest.mark.parametrize("site", CANONICAL_SITES)
def test_sex_and_site_are_one_hot(site: str) -> None:
    vector = metadata_vector(Patient(body_site=site))
    assert vector[:3].sum() == vector[3:8].sum() == 1

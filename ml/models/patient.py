"""What the lesion classifier is told about the person, as the ten numbers that it was trained with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.models.sites import CANONICAL_SITES
from ml.values import Patient

_SEXES = ("female", "male", "unknown")
_AGE_SCALE = 90.0
#: the training set's mean age, which stands in for a missing one
_MISSING_AGE = 51.906


def metadata_vector(patient: Patient) -> NDArray[np.float32]:
    """(10,): sex one-hot (female, male, unknown), site one-hot (arm, head or neck, leg or genital, trunk, unknown),
    age / 90, age missing. Order and constants: the model's published properties."""
    sex = [float(name == (patient.sex or "unknown")) for name in _SEXES]
    site = [float(name == (patient.body_site or "unknown")) for name in CANONICAL_SITES]
    age = _MISSING_AGE if patient.age is None else patient.age
    return np.array([*sex, *site, age / _AGE_SCALE, float(patient.age is None)], dtype=np.float32)

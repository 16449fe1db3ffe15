"""The served lesion classifier answers as the published Keras model does, run as its authors run it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ml.models.classifier import LesionClassifier
from ml.models.golden import golden_image
from ml.models.registry import SKLESION
from ml.models.store import ModelStore
from ml.values import RGB, Patient
from tests.integration.conftest import lesion_photo

pytestmark = pytest.mark.models

#: (width, height): the model's own size, larger, smaller, and thin ones
SIZES = [(254, 254), (255, 253), (600, 451), (97, 301), (1023, 767), (33, 1200), (2048, 1365), (64, 64)]
#: the ten numbers that the model's authors write for a person of whom nothing is known
NOTHING_KNOWN = [0, 0, 1, 0, 0, 0, 0, 1, 51.906 / 90, 1]
#: the means of the training set, which stand for unknown facts
SEX = [4552 / 9958, 5406 / 9958, 0]
SITE = [1215 / 9781, 1097 / 9781, 2444 / 9781, 5025 / 9781, 0]
AGE = [51.906 / 90, 0]
#: patients, and the ten numbers for them
PATIENTS = [
    (Patient(), [*SEX, *SITE, *AGE]),
    (Patient(age=80, sex="male", body_site="head-or-neck"), [0, 1, 0, 0, 1, 0, 0, 0, 80 / 90, 0]),
    (Patient(age=25, sex="female", body_site="leg-or-genital"), [1, 0, 0, 0, 0, 1, 0, 0, 25 / 90, 0]),
    (Patient(age=50, body_site="trunk"), [*SEX, 0, 0, 0, 1, 0, 50 / 90, 0]),
    (Patient(sex="male", body_site="arm"), [0, 1, 0, 1, 0, 0, 0, 0, *AGE]),
]

Reference = Callable[[RGB, list[float]], np.ndarray]


@pytest.fixture(scope="module")
def reference(models_dir: Path) -> Reference:
    from ml.models.tensorflow_runtime import tf  # isort: skip - before Keras imports it
    import keras

    (path,) = (ModelStore(models_dir).folder(SKLESION) / "source").glob("*.keras")
    model = keras.saving.load_model(path, compile=False)

    def probabilities(photo: RGB, metadata: list[float]) -> np.ndarray:
        resized = tf.image.resize(tf.constant(photo)[None], (254, 254))
        return model([resized, tf.constant([metadata], tf.float32)], training=False).numpy()[0]

    return probabilities


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_photos_of_every_size(classifier: LesionClassifier, reference: Reference, width: int, height: int) -> None:
    photo = lesion_photo(width, height, seed=width)
    found = classifier.predict([photo], Patient())[0]
    assert found == pytest.approx(reference(photo, PATIENTS[0][1]), abs=1e-4)


@pytest.mark.parametrize(("patient", "metadata"), PATIENTS)
def test_what_is_known_of_the_person(
    classifier: LesionClassifier, reference: Reference, patient: Patient, metadata: list[float]
) -> None:
    photo = lesion_photo(450, 350, seed=3)
    assert classifier.predict([photo], patient)[0] == pytest.approx(reference(photo, metadata), abs=1e-4)


def test_the_person_matters(classifier: LesionClassifier) -> None:
    photo = lesion_photo(450, 350, seed=3)
    old, young = (classifier.predict([photo], Patient(age=age, sex="male"))[0] for age in (85, 10))
    assert np.abs(old - young).max() > 1e-3


def test_the_answer_is_a_distribution(classifier: LesionClassifier) -> None:
    found = classifier.predict([lesion_photo(300, 200, seed) for seed in range(3)], Patient())
    assert found.shape == (3, 7)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert found.std(axis=0).max() > 0.01


def test_the_recorded_golden_answer_is_the_references(reference: Reference, models_dir: Path) -> None:
    recorded = ModelStore(models_dir).manifest(SKLESION).golden
    assert recorded == pytest.approx(reference(golden_image(), NOTHING_KNOWN), abs=1e-5)

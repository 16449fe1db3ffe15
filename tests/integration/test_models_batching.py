"""The real models answer each caller alike, whether its photos were computed alone or together with others'."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.backends.base import BATCH_SIZES, Backend
from ml.classifier import LesionClassifier
from ml.encoder import Encoder
from ml.runner import Batching
from ml.values import Patient
from tests.integration.conftest import lesion_photo
from tests.unit.ml.gathering import LONG, Arrival

pytestmark = pytest.mark.models

PHOTOS = [lesion_photo(240 + 31 * n, 400 - 17 * n, seed=n) for n in range(9)]
PATIENTS = [Patient(age=10.0 * n, sex="female" if n % 2 else "male") for n in range(9)]
#: a model's kernels may round differently in another batch
ROUNDING = 1e-5


class HeldBackend:
    """A model whose runs wait until ``go`` is set."""

    def __init__(self, backend: Backend) -> None:
        self.framework, self.version = backend.framework, backend.version
        self._backend = backend
        self.began, self.go = threading.Event(), threading.Event()

    def run(self, *inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        self.began.set()
        assert self.go.wait(LONG)
        return self._backend.run(*inputs)


def gathered(held: HeldBackend, call: Callable[[int, Arrival], Any]) -> list[Any]:
    """What nine callers get, of whom the first runs alone and eight wait for it."""
    with ThreadPoolExecutor(9) as pool:
        futures = [pool.submit(call, 0, Arrival())]
        assert held.began.wait(LONG)
        for n in range(1, 9):
            deadline = Arrival()
            futures.append(pool.submit(call, n, deadline))
            deadline.wait()
        held.go.set()
        return [future.result(LONG) for future in futures]


def test_the_encoder_gives_each_caller_its_own_vector(encoder: Encoder) -> None:
    held, sizes = HeldBackend(encoder.backend), []
    batched = Encoder(encoder.spec, held, "", Batching(8, on_batch=lambda model, size: sizes.append(size)))
    found = gathered(held, lambda n, deadline: batched.embed([PHOTOS[n]], deadline))
    assert sizes == [1, 8]
    assert np.abs(np.concatenate(found) - encoder.embed(PHOTOS)).max() < ROUNDING


def test_the_classifier_gives_each_caller_its_own_patient_s_probabilities(classifier: LesionClassifier) -> None:
    held, sizes = HeldBackend(classifier.backend), []
    batched = LesionClassifier(classifier.spec, held, Batching(8, on_batch=lambda model, size: sizes.append(size)))
    found = gathered(held, lambda n, deadline: batched.probabilities([PHOTOS[n]], PATIENTS[n], deadline))
    alone = [classifier.probabilities([PHOTOS[n]], PATIENTS[n]) for n in range(9)]
    assert sizes == [1, 8]
    assert np.abs(np.concatenate(found) - np.concatenate(alone)).max() < ROUNDING
    assert np.abs(alone[1] - classifier.probabilities([PHOTOS[1]], PATIENTS[2])).max() > 10 * ROUNDING


@pytest.mark.parametrize("largest", BATCH_SIZES)
def test_views_of_any_number_give_what_each_gives_alone(
    encoder: Encoder, classifier: LesionClassifier, largest: int
) -> None:
    batched = Encoder(encoder.spec, encoder.backend, "", Batching(largest))
    together = LesionClassifier(classifier.spec, classifier.backend, Batching(largest))
    vectors = np.concatenate([encoder.embed([photo]) for photo in PHOTOS[:5]])
    rows = np.concatenate([classifier.probabilities([photo], PATIENTS[3]) for photo in PHOTOS[:3]])
    for number in (1, 2, 3, 5):
        assert np.abs(batched.embed(PHOTOS[:number]) - vectors[:number]).max() < ROUNDING
    assert np.abs(together.probabilities(PHOTOS[:3], PATIENTS[3]) - rows).max() < ROUNDING

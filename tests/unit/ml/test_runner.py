"""A model's rows, checked, in the few batch sizes that the frameworks have planned memory for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ml.backends.base import BATCH_SIZES
from ml.classifier import LesionClassifier
from ml.encoder import Encoder
from ml.errors import BackendError, DeadlineExceededError
from ml.patient import metadata_vector
from ml.registry import SKLESION
from ml.runner import LEAST_GAIN, UNBATCHED, Batching, Runner, largest_gaining_batch
from ml.values import Patient
from tests.unit.ml.gathering import LONG, Arrival, Callers, HeldCompute, answers, numbers, rows
from tests.unit.ml.photo_files import noise, quadrants
from tests.unit.ml.tiny_models import ENCODER_SPEC, RecordingBackend, one_column


def runner(function: Callable[..., Any], batching: Batching = UNBATCHED) -> Runner:
    return Runner(one_column(), RecordingBackend(function), "encode", batching)


# without batching


def test_each_photo_is_run_by_itself_in_the_callers_order() -> None:
    compute = HeldCompute()
    compute.release()
    found = runner(lambda *inputs: compute(inputs)).run(rows(1, 2, 3))
    assert found.ravel().tolist() == answers(1, 2, 3)
    assert compute.batches == [[1], [2], [3]]


def test_no_view_is_started_after_the_deadline() -> None:
    compute, deadline = HeldCompute(), Arrival()
    compute.release()

    def leave(*inputs: Any) -> np.ndarray:
        deadline.left.set()
        return compute(inputs)

    with pytest.raises(ConnectionError, match="encode"):
        runner(leave).run(rows(1, 2), deadline)
    assert compute.seen == [1]
    with pytest.raises(DeadlineExceededError):
        runner(leave).run(rows(1, 2), Arrival(0.0))


# what a backend may do wrong, with batching and without


@pytest.mark.parametrize("batching", [UNBATCHED, Batching(8)])
@pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit(), BaseException()])
def test_what_is_no_exception_becomes_one(error: BaseException, batching: Batching) -> None:
    def throw(*_: Any) -> np.ndarray:
        raise error

    with pytest.raises(BackendError, match="one-column failed on this photo") as caught:
        runner(throw, batching).run(rows(1))
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("batching", [UNBATCHED, Batching(8)])
@pytest.mark.parametrize("shape", [(), (1,), (0, 1), (2, 1), (1, 2), (1, 1, 1)])
def test_another_shape_than_the_model_s_is_an_error(shape: tuple[int, ...], batching: Batching) -> None:
    with pytest.raises(BackendError, match="not 1 × 1"):
        runner(lambda *_: np.zeros(shape, np.float32), batching).run(rows(1))


@pytest.mark.parametrize("error", [ValueError(), BackendError("broken"), MemoryError(), SystemExit(), BaseException()])
def test_the_photo_that_a_backend_fails_on_fails_alone(error: BaseException) -> None:
    compute = HeldCompute({3: error})
    with Callers(runner(lambda *inputs: compute(inputs), Batching(8)).run) as callers:
        futures = [callers.first(compute, 0), *(callers.then(key) for key in range(1, 9))]
        compute.release()
        culprit = futures.pop(3).exception(LONG)
        assert error in (culprit, culprit and culprit.__cause__)
        assert isinstance(culprit, Exception)
        assert numbers(futures) == [answers(key) for key in range(9) if key != 3]


def test_the_photo_whose_answer_has_another_shape_fails_alone() -> None:
    compute = HeldCompute()

    def widen(*inputs: Any) -> np.ndarray:
        answer = compute(inputs)
        return np.tile(answer, 2) if 3 in inputs[0] else answer

    with Callers(runner(widen, Batching(8)).run) as callers:
        futures = [callers.first(compute, 0), *(callers.then(key) for key in range(1, 9))]
        compute.release()
        assert isinstance(futures.pop(3).exception(LONG), BackendError)
        assert numbers(futures) == [answers(key) for key in range(9) if key != 3]


# batching


def test_batches_are_told_with_the_model_s_name() -> None:
    compute, told = HeldCompute(), []
    batching = Batching(4, on_batch=lambda model, size: told.append((model, size)))
    with Callers(runner(lambda *inputs: compute(inputs), batching).run) as callers:
        futures = [callers.first(compute, 0), *(callers.then(key) for key in range(1, 8))]
        compute.release()
        numbers(futures)
    assert told == [("one-column", size) for size in (1, 4, 2, 1)]


@pytest.mark.parametrize("largest", BATCH_SIZES)
def test_every_size_that_may_come_is_warmed(largest: int) -> None:
    backend = RecordingBackend(lambda images: images.reshape(len(images), -1)[:, :16])
    Encoder(ENCODER_SPEC, backend, "", Batching(largest)).warm(quadrants())
    expected = [size for size in BATCH_SIZES if size <= largest]
    assert backend.batches == expected
    softmax = np.full(7, 1 / 7, np.float32)
    backend = RecordingBackend(lambda images, metadata: np.tile(softmax, (len(images), 1)))
    LesionClassifier(SKLESION, backend, Batching(largest)).warm(quadrants())
    assert backend.batches == expected


def test_each_photo_of_a_batch_keeps_its_own_patient() -> None:
    seen = []

    def classify(images: np.ndarray, metadata: np.ndarray) -> np.ndarray:
        seen.append((len(images), metadata))
        return np.tile(np.eye(1, 7, dtype=np.float32), (len(images), 1))

    classifier = LesionClassifier(SKLESION, RecordingBackend(classify), Batching(8))
    old = Patient(age=80, sex="male")
    classifier.classify([noise(40, 40)] * 2, old)
    assert [(n, metadata.tolist()) for n, metadata in seen] == [(2, [metadata_vector(old).tolist()] * 2)]


@pytest.mark.parametrize("largest", [None, 0, 3, 16])
def test_what_is_no_batch_size_is_refused(largest: int | None) -> None:
    with pytest.raises(ValueError, match="a batch cannot hold"):
        runner(lambda a, b: a, Batching(largest))


# what gains

FASTER = {1: 100.0, 2: 80.0, 4: 60.0, 8: 50.0}


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({}, 1),
        ({1: 100.0}, 1),
        (FASTER, 8),
        ({**FASTER, 8: 95.0}, 4),  # no gain worth the name
        ({**FASTER, 8: 110.0}, 4),
        ({**FASTER, 2: 99.0}, 1),  # twos would be run too, and gain nothing
        ({**FASTER, 4: 99.0}, 2),
        ({1: 100.0, 2: 80.0, 8: 50.0}, 2),  # fours would be run: nobody knows how
        ({2: 80.0, 4: 60.0}, 1),
        ({1: 28.1, 2: 28.1, 4: 28.8, 8: 45.0}, 1),
        ({1: 447.0, 2: 430.0, 4: 402.0, 8: 314.0}, 1),  # measured while the machine became quieter
        ({1: 100.0, 2: 91.0}, 1),
        ({1: 111.0, 2: 100.0}, 2),
        ({1: float("nan"), 2: 1.0}, 1),
        ({1: 1.0, 2: float("nan")}, 1),
    ],
)
def test_the_largest_batch_that_gains(measured: dict[int, float], expected: int) -> None:
    assert largest_gaining_batch(measured, least_gain=1.1) == expected


def test_what_gains_is_decided_by_measurement_except_on_a_gpu() -> None:
    auto = Batching(None, side_by_side=3)
    assert auto.settled(FASTER, gpu=False) == Batching(8, side_by_side=3, on_batch=auto.on_batch)
    assert auto.settled({}, gpu=False).largest == 1
    assert auto.settled({}, gpu=True).largest == 8
    assert auto.settled({1: LEAST_GAIN, 2: 1.0}, gpu=False).largest == 2


@pytest.mark.parametrize("largest", BATCH_SIZES)
def test_a_batch_size_that_was_set_stays(largest: int) -> None:
    assert Batching(largest).settled(FASTER, gpu=True).largest == largest

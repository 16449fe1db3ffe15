"""What counts as the same answer, with models of a few numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ml.models.golden import compare, golden_images, neighbours
from ml.models.registry import SKLESION
from ml.models.spec import ModelSpec, PreprocessSpec
from tests.unit.ml.tiny_models import ENCODER_SPEC, RecordingRuntime

CLASSIFIER: ModelSpec = replace(SKLESION, preprocess=PreprocessSpec(size=(8, 8)))
PROJECTION = np.random.default_rng(3).normal(size=(8 * 8 * 3, 16)).astype(np.float32)
TO_CLASSES = np.random.default_rng(4).normal(size=(8 * 8 * 3, 7)).astype(np.float32) / 2000

Function = Callable[..., np.ndarray]


def embed(images: np.ndarray) -> np.ndarray:
    return (images.reshape(len(images), -1) - 128) @ PROJECTION


def classify(images: np.ndarray, people: np.ndarray) -> np.ndarray:
    scores = np.exp(images.reshape(len(images), -1) @ TO_CLASSES + people[:, :7])
    return scores / scores.sum(axis=1, keepdims=True)


def judged(spec: ModelSpec, native: Function, compiled: Function) -> str | None:
    return compare(spec, RecordingRuntime(native), RecordingRuntime(compiled))[1]


def test_images_are_different_and_the_same_each_time() -> None:
    first, again = golden_images(48), golden_images(48)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({image.tobytes() for image in first}) == 48
    assert {image.dtype for image in first} == {np.dtype(np.uint8)}
    assert len({image.shape for image in first}) > 40


def test_rounding_is_no_difference() -> None:
    assert judged(ENCODER_SPEC, embed, lambda x: embed(x) * np.float32(1 + 1e-6)) is None
    assert judged(CLASSIFIER, classify, lambda x, p: classify(x, p) + np.float32(1e-6)) is None


WRONG: dict[str, tuple[ModelSpec, Function, Function, str]] = {
    "turned vectors": (ENCODER_SPEC, embed, lambda x: embed(x) + 30 * np.roll(embed(x), 1, axis=1), "cosine distance"),
    "other classes": (CLASSIFIER, classify, lambda x, p: np.roll(classify(x, p), 1, axis=1), "probabilities differ"),
    "a little of another class": (
        CLASSIFIER,
        classify,
        lambda x, p: classify(x, p) + np.eye(7, dtype=np.float32)[0] * np.float32(5e-4),
        "probabilities differ by 5.0e-04",
    ),
    "the person is ignored": (CLASSIFIER, classify, lambda x, p: classify(x, 0 * p), "probabilities differ"),
    "not a number": (ENCODER_SPEC, embed, lambda x: embed(x) * np.nan, "not all numbers"),
    "nothing": (ENCODER_SPEC, embed, lambda x: 0 * embed(x), "no direction"),
    "another shape": (ENCODER_SPEC, embed, lambda x: embed(x)[:, :8], "another shape"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_model_that_answers_otherwise_is_found(case: str) -> None:
    spec, native, compiled, reason = WRONG[case]
    assert reason in str(judged(spec, native, compiled))


def test_neighbours_are_those_of_centred_vectors() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(48, 5)).astype(np.float32) + 100
    centred = vectors - vectors.mean(axis=0)
    for row, found in enumerate(neighbours(vectors)):
        cosine = centred[8:] @ centred[row] / np.linalg.norm(centred[8:], axis=1)
        assert list(found) == list(np.argsort(-cosine)[:10])


def test_vectors_that_hardly_turn_may_still_have_other_neighbours() -> None:
    """All vectors lie close together: what separates them is as small as the difference."""

    def crowded(images: np.ndarray) -> np.ndarray:
        return embed(images) / 1e6 + 1

    def other(images: np.ndarray) -> np.ndarray:
        return crowded(images) + np.sin(1e3 * embed(images)) * np.float32(2e-3)

    assert judged(ENCODER_SPEC, crowded, other) == "the 10 nearest neighbours are not the same"

"""The images that every model is asked about, and what counts as the same answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ml.errors import ModelError
from ml.models.golden import agrees, compare, golden_image, golden_images
from ml.models.registry import SKLESION
from ml.models.spec import ModelSpec, PreprocessSpec
from tests.unit.ml.tiny_models import ENCODER_SPEC, RecordingRuntime

GOLDEN_SHA256 = "41c35b31308ce5987fbc8e31bfddc65891a2cf6239c30ce66447a8ea5c989180"
VECTOR = np.array([0.6, 0.8, 0.0], np.float32)

CLASSIFIER: ModelSpec = replace(SKLESION, preprocess=PreprocessSpec(size=(8, 8)))
PROJECTION = np.random.default_rng(3).normal(size=(8 * 8 * 3, 16)).astype(np.float32)
TO_CLASSES = np.random.default_rng(4).normal(size=(8 * 8 * 3, 7)).astype(np.float32) / 2000

Function = Callable[..., np.ndarray]


def embed(images: np.ndarray) -> np.ndarray:
    return (images.reshape(len(images), -1) - 128) @ PROJECTION


def classify(images: np.ndarray, people: np.ndarray) -> np.ndarray:
    scores = np.exp(images.reshape(len(images), -1) @ TO_CLASSES + people[:, :7])
    return scores / scores.sum(axis=1, keepdims=True)


def test_the_image_never_changes() -> None:
    """Manifests of fetched models hold answers to these very pixels."""
    image = golden_image()
    assert (image.shape, image.dtype) == ((300, 400, 3), np.uint8)
    assert hashlib.sha256(image.tobytes()).hexdigest() == GOLDEN_SHA256
    assert np.array_equal(image, golden_image())


def turned(degrees: float) -> np.ndarray:
    radians = np.radians(degrees)
    return np.array([0.6 * np.cos(radians) - 0.8 * np.sin(radians), 0.6 * np.sin(radians) + 0.8 * np.cos(radians), 0])


@pytest.mark.parametrize(("degrees", "agree"), [(0.0, True), (0.7, True), (0.9, False), (90, False), (180, False)])
def test_vectors_agree_within_a_cosine_distance_of_one_in_ten_thousand(degrees: float, agree: bool) -> None:
    assert agrees(ENCODER_SPEC, turned(degrees).astype(np.float32), VECTOR) is agree


def test_length_does_not_count_but_direction_must_exist() -> None:
    assert agrees(ENCODER_SPEC, 5 * VECTOR, VECTOR)
    assert not agrees(ENCODER_SPEC, 0 * VECTOR, VECTOR)
    assert not agrees(ENCODER_SPEC, np.array([np.nan, 1, 0], np.float32), VECTOR)


def test_probabilities_agree_in_every_class() -> None:
    expected = np.array([0.2, 0.5, 0.3], np.float32)
    assert agrees(CLASSIFIER, expected + np.array([9e-4, -9e-4, 0], np.float32), expected)
    assert not agrees(CLASSIFIER, expected + np.array([0, 0, 1.1e-3], np.float32), expected)
    assert not agrees(CLASSIFIER, np.array([0.2, 0.5, np.nan], np.float32), expected)


# compiled models


def judged(spec: ModelSpec, native: Function, compiled: Function) -> str | None:
    return compare(spec, RecordingRuntime(native), RecordingRuntime(compiled))[1]


def test_images_are_different_and_the_same_each_time() -> None:
    first, again = golden_images(24), golden_images(24)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({image.tobytes() for image in first}) == 24
    assert {image.dtype for image in first} == {np.dtype(np.uint8)}
    assert len({image.shape for image in first}) > 20


def test_rounding_is_no_difference() -> None:
    assert judged(ENCODER_SPEC, embed, lambda x: embed(x) * np.float32(1 + 1e-6)) is None
    assert judged(CLASSIFIER, classify, lambda x, p: classify(x, p) + np.float32(1e-6)) is None


WRONG: dict[str, tuple[ModelSpec, Function, Function, str]] = {
    "turned vectors": (ENCODER_SPEC, embed, lambda x: embed(x) + 30 * np.roll(embed(x), 1, axis=1), "cosine distance"),
    "other classes": (CLASSIFIER, classify, lambda x, p: np.roll(classify(x, p), 1, axis=1), "differ by a probability"),
    "a little of another class": (
        CLASSIFIER,
        classify,
        lambda x, p: classify(x, p) + np.eye(7, dtype=np.float32)[0] * np.float32(5e-4),
        "probability of 5.0e-04 (at most 0.0001)",
    ),
    "the person is ignored": (CLASSIFIER, classify, lambda x, p: classify(x, 0 * p), "differ by a probability"),
    "not a number": (ENCODER_SPEC, embed, lambda x: embed(x) * np.nan, "not finite"),
    "nothing": (ENCODER_SPEC, embed, lambda x: 0 * embed(x), "not finite"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_model_that_answers_otherwise_is_found(case: str) -> None:
    spec, native, compiled, reason = WRONG[case]
    assert reason in str(judged(spec, native, compiled))


def test_another_number_of_dimensions_is_an_error() -> None:
    with pytest.raises(ModelError, match="not 1 × 16"):
        judged(ENCODER_SPEC, embed, lambda x: embed(x)[:, :8])


def test_vectors_that_hardly_turn_are_not_the_same_where_all_lie_close_together() -> None:
    """What separates the photos is then as small as the difference, and their neighbours would change."""

    def crowded(images: np.ndarray) -> np.ndarray:
        return embed(images) / 1e6 + 1

    def other(images: np.ndarray) -> np.ndarray:
        return crowded(images) + np.sin(1e3 * embed(images)) * np.float32(2e-3)

    assert "cosine distance" in str(judged(ENCODER_SPEC, crowded, other))

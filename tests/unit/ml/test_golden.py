"""The image that every model proves itself on, and what counts as the same answer."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ml.models.golden import CLASSIFIER_TOLERANCE, golden_image, probabilities_agree, vectors_agree

GOLDEN_SHA256 = "41c35b31308ce5987fbc8e31bfddc65891a2cf6239c30ce66447a8ea5c989180"
VECTOR = np.array([0.6, 0.8, 0.0], np.float32)


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
    assert vectors_agree(turned(degrees).astype(np.float32), VECTOR) is agree


def test_length_does_not_count_but_direction_must_exist() -> None:
    assert vectors_agree(5 * VECTOR, VECTOR)
    assert not vectors_agree(0 * VECTOR, VECTOR)
    assert not vectors_agree(np.array([np.nan, 1, 0], np.float32), VECTOR)


def test_probabilities_agree_in_every_class() -> None:
    expected = np.array([0.2, 0.5, 0.3], np.float32)
    nearly = expected + np.array([0.9, -0.9, 0], np.float32) * CLASSIFIER_TOLERANCE
    assert probabilities_agree(nearly, expected)
    assert not probabilities_agree(expected + np.array([0, 0, 1.1], np.float32) * CLASSIFIER_TOLERANCE, expected)
    assert not probabilities_agree(np.array([0.2, 0.5, np.nan], np.float32), expected)

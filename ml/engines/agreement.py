"""Whether a compiled engine answers as the native one does, on images that are the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ml.models.golden import golden_image
from ml.models.preprocess import to_batch
from ml.models.runtime import BATCH_SIZES, Backend
from ml.models.spec import ModelSpec
from ml.patient import metadata_vector
from ml.values import RGB, Patient, Vectors

#: largest cosine distance of two vectors, and difference of two probabilities: about a hundred times what engines
#: that compute in float32 were seen to differ by, and far below what a reader of an answer could notice
VECTOR_TOLERANCE = 1e-5
PROBABILITY_TOLERANCE = 1e-4
NEIGHBOURS = 10
#: images whose vectors are searched, images that are searched for, and images that are classified
_STORED, _ASKED, _CLASSIFIED = 48, 8, 12

Outputs = NDArray[np.float32]


def trial_images(number: int) -> list[RGB]:
    """``number`` pictures of skin-coloured fields with blobs, stripes and gradients, of many shapes; the first is the
    golden image. Made by arithmetic alone, so that no random generator's change can alter them."""
    return [golden_image(), *(_image(n) for n in range(1, number))]


def compare(spec: ModelSpec, native: Backend, compiled: Backend) -> tuple[dict[str, float], str | None]:
    """The largest differences found, by name, and why the compiled engine cannot be used (None if it agrees)."""
    rows = trial_inputs(spec, _STORED if spec.task == "encoder" else _CLASSIFIED)
    expected = _one_by_one(native, rows)
    found = _one_by_one(compiled, rows)
    together = [(size, compiled.run(*(array[:size] for array in rows))) for size in BATCH_SIZES[1:]]
    if found.shape != expected.shape or any(output.shape != expected[:size].shape for size, output in together):
        return {}, "its answers have another shape"
    joined = np.concatenate([found, *(output for _, output in together)])
    reference = np.concatenate([expected, *(expected[:size] for size, _ in together)])
    if not np.isfinite(joined).all():
        return {}, "its answers are not all numbers"
    return _compare_vectors(joined, reference) if spec.task == "encoder" else _compare_probabilities(joined, reference)


def neighbours(vectors: Vectors) -> NDArray[np.intp]:
    """(_ASKED, NEIGHBOURS): for each of the first vectors the nearest of the others, by cosine after centring on their
    mean, as the index does it: centring makes small differences larger."""
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    return np.argsort(-(centred[:_ASKED] @ centred[_ASKED:].T), axis=1, kind="stable")[:, :NEIGHBOURS]


def _compare_vectors(found: Outputs, expected: Outputs) -> tuple[dict[str, float], str | None]:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    if (lengths == 0).any():
        return {}, "a vector has no direction"
    distance = float((1 - np.einsum("ij,ij->i", found, expected, dtype=np.float64) / lengths).max())
    same = np.array_equal(neighbours(found[:_STORED]), neighbours(expected[:_STORED]))
    differences = {"cosine distance": max(0.0, distance), f"top {NEIGHBOURS} that differ": float(not same)}
    if distance > VECTOR_TOLERANCE:
        return differences, f"vectors differ by a cosine distance of {distance:.1e} (at most {VECTOR_TOLERANCE:g})"
    return differences, None if same else f"the {NEIGHBOURS} nearest neighbours are not the same"


def _compare_probabilities(found: Outputs, expected: Outputs) -> tuple[dict[str, float], str | None]:
    difference = float(np.abs(found - expected).max())
    problem = f"probabilities differ by {difference:.1e} (at most {PROBABILITY_TOLERANCE:g})"
    return {"probability": difference}, problem if difference > PROBABILITY_TOLERANCE else None


def trial_inputs(spec: ModelSpec, size: int) -> list[NDArray[np.float32]]:
    """What ``Backend.run`` takes, for ``size`` of the images; the classifier is told of several kinds of people."""
    batch = to_batch(trial_images(size), spec.preprocess)
    if spec.task == "encoder":
        return [batch]
    people = [Patient(), Patient(age=71, sex="male", body_site="trunk"), Patient(age=24, sex="female")]
    return [batch, np.stack([metadata_vector(people[n % len(people)]) for n in range(size)])]


def _one_by_one(backend: Backend, rows: list[NDArray[np.float32]]) -> Outputs:
    return np.concatenate([backend.run(*(array[n : n + 1] for array in rows)) for n in range(len(rows[0]))])


def _image(n: int) -> RGB:
    height, width = 180 + 37 * n % 260, 170 + 53 * n % 310
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    lines = np.sin((6 + n % 17) * 7 * (rows * np.cos(n) + columns * np.sin(n)))
    light = 0.55 + 0.1 * (n % 5) + 0.2 * (rows - 0.5) * np.cos(2.3 * n)
    colours = np.array([208.0, 164.0, 140.0]), np.array([96.0 + 7 * (n % 9), 52.0 + 11 * (n % 7), 48.0 + 5 * (n % 11)])
    spots: NDArray[np.float64] = np.zeros_like(rows)
    for spot in range(1 + n % 4):
        y, x = 0.5 + 0.33 * np.sin(1.7 * n + 2 * spot), 0.5 + 0.33 * np.cos(2.9 * n + spot)
        spots = np.maximum(spots, np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (0.004 + 0.006 * ((n + spot) % 6))))
    picture = colours[0] + (colours[1] - colours[0]) * spots[..., None] + (4 + n % 13) * lines[..., None]
    return np.asarray(np.clip(np.rint(picture * light[..., None]), 0, 255), dtype=np.uint8)


def describe(differences: Mapping[str, float]) -> str:
    """One phrase, for people."""
    return ", ".join(f"{name} {value:.1e}" if value else f"{name} 0" for name, value in differences.items())

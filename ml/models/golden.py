"""Images that are the same on every machine, and whether two answers to them are the same answer.

A model is asked about the first of them when it is fetched and each time it is loaded. A compiled model is compared
with its framework on all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.models.patient import metadata_vector
from ml.models.preprocess import to_batch
from ml.models.runtime import Runtime
from ml.models.spec import ModelSpec
from ml.values import RGB, Patient, Vectors

Outputs = NDArray[np.float32]

#: cosine distance and absolute probability that a served model may differ from the package's own pipeline
ENCODER_TOLERANCE = 1e-4
CLASSIFIER_TOLERANCE = 1e-3
#: the same for a compiled model and its framework: about a hundred times what runtimes that compute in float32 were
#: seen to differ by, and far below what a reader of an answer could notice
COMPILED_ENCODER_TOLERANCE = 1e-5
COMPILED_CLASSIFIER_TOLERANCE = 1e-4
NEIGHBOURS = 10
#: images whose vectors are searched, images that are searched for, and images that are classified
_STORED, _ASKED, _CLASSIFIED = 48, 8, 12


def golden_image() -> RGB:
    """A skin-coloured field with a dark blob and a fine grid, (300, 400, 3)."""
    rows, columns = np.mgrid[0:300, 0:400].astype(np.float64)
    blob = np.exp(-(((rows - 140) / 55) ** 2 + ((columns - 210) / 75) ** 2))
    grid = ((rows.astype(int) // 6 + columns.astype(int) // 6) % 2) * 6.0
    shade = 1.0 - 0.0006 * rows + 0.0003 * columns
    skin = np.stack([208.0 - 90 * blob, 164.0 - 100 * blob, 140.0 - 85 * blob], axis=-1)
    return np.asarray(np.clip(np.rint(skin * shade[..., None] - grid[..., None]), 0, 255), dtype=np.uint8)


def golden_images(number: int) -> list[RGB]:
    """``number`` pictures of skin-coloured fields with blobs, stripes and gradients, of many shapes; the first is the
    golden image. Made by arithmetic alone, so that no random generator's change can alter them."""
    return [golden_image(), *(_image(n) for n in range(1, number))]


def vectors_agree(found: Outputs, expected: Outputs) -> bool:
    """Whether two embeddings point the same way within ENCODER_TOLERANCE (cosine distance)."""
    norm = float(np.linalg.norm(found) * np.linalg.norm(expected))
    return bool(np.isfinite(found).all()) and norm > 0 and 1.0 - float(found @ expected) / norm <= ENCODER_TOLERANCE


def probabilities_agree(found: Outputs, expected: Outputs) -> bool:
    """Whether two softmax outputs agree within CLASSIFIER_TOLERANCE in every class."""
    return bool(np.isfinite(found).all()) and bool(np.abs(found - expected).max() <= CLASSIFIER_TOLERANCE)


def compare(spec: ModelSpec, native: Runtime, compiled: Runtime) -> tuple[dict[str, float], str | None]:
    """The largest differences found, by name, and why the compiled model cannot be used (None if it agrees)."""
    rows = golden_inputs(spec, _STORED if spec.task == "encoder" else _CLASSIFIED)
    expected, found = _one_by_one(native, rows), _one_by_one(compiled, rows)
    if found.shape != expected.shape:
        return {}, "its answers have another shape"
    if not np.isfinite(found).all():
        return {}, "its answers are not all numbers"
    return _compare_vectors(found, expected) if spec.task == "encoder" else _compare_probabilities(found, expected)


def golden_inputs(spec: ModelSpec, number: int) -> list[NDArray[np.float32]]:
    """What ``Runtime.run`` takes, for ``number`` of the images and several kinds of people."""
    batch = to_batch(golden_images(number), spec.preprocess)
    if "metadata" not in spec.input_names:
        return [batch]
    people = [Patient(), Patient(age=71, sex="male", body_site="trunk"), Patient(age=24, sex="female")]
    return [batch, np.stack([metadata_vector(people[n % len(people)]) for n in range(number)])]


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
    same = np.array_equal(neighbours(found), neighbours(expected))
    differences = {"cosine distance": max(0.0, distance), f"top {NEIGHBOURS} that differ": float(not same)}
    limit = COMPILED_ENCODER_TOLERANCE
    if distance > limit:
        return differences, f"vectors differ by a cosine distance of {distance:.1e} (at most {limit:g})"
    return differences, None if same else f"the {NEIGHBOURS} nearest neighbours are not the same"


def _compare_probabilities(found: Outputs, expected: Outputs) -> tuple[dict[str, float], str | None]:
    difference, limit = float(np.abs(found - expected).max()), COMPILED_CLASSIFIER_TOLERANCE
    problem = f"probabilities differ by {difference:.1e} (at most {limit:g})"
    return {"probability": difference}, problem if difference > limit else None


def _one_by_one(runtime: Runtime, rows: list[NDArray[np.float32]]) -> Outputs:
    return np.concatenate([runtime.run(*(array[n : n + 1] for array in rows)) for n in range(len(rows[0]))])


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

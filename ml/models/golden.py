"""Images that every model is asked about, and whether two answers to them are the same answer.

A model answers the golden image when it is fetched and each time it is loaded. A compiled model is compared with its
framework on many images.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.models.preprocess import model_inputs
from ml.models.runtime import Output, Runtime, run_each
from ml.models.spec import ModelSpec
from ml.values import RGB, Patient

#: task → what is compared; the largest difference of a served model from the one before its export; and of a compiled
#: model from its framework: far more than libraries that compute in float32 were seen to differ by, and far less than
#: a reader of an answer could notice
_LIMITS = {"encoder": ("cosine distance", 1e-4, 1e-7), "classifier": ("probability", 1e-3, 1e-4)}
_COMPARED = 24


def golden_image() -> RGB:
    """A skin-coloured field with a dark blob and a fine grid, (300, 400, 3). The same on every machine, for ever:
    manifests hold answers to it."""
    rows, columns = np.mgrid[0:300, 0:400].astype(np.float64)
    blob = np.exp(-(((rows - 140) / 55) ** 2 + ((columns - 210) / 75) ** 2))
    grid = ((rows.astype(int) // 6 + columns.astype(int) // 6) % 2) * 6.0
    shade = 1.0 - 0.0006 * rows + 0.0003 * columns
    skin = np.stack([208.0 - 90 * blob, 164.0 - 100 * blob, 140.0 - 85 * blob], axis=-1)
    return np.asarray(np.clip(np.rint(skin * shade[..., None] - grid[..., None]), 0, 255), dtype=np.uint8)


def golden_images(number: int) -> list[RGB]:
    """The golden image, and pictures of many shapes with soft patches of colour and fine noise; ``number`` in all."""
    return [golden_image(), *(_patches(seed) for seed in range(1, number))]


def agrees(spec: ModelSpec, found: Output, expected: Output) -> bool:
    """Whether a served model's answer to one photo is that of the model before its export. Both (output_dim,)."""
    return _difference(spec.task, found[None], expected[None]) <= _LIMITS[spec.task][1]


def compare(spec: ModelSpec, native: Runtime, compiled: Runtime) -> tuple[dict[str, float], str | None]:
    """The largest difference between the two models' answers, by name, and why the compiled one cannot be used (None
    if it can)."""
    inputs = _many_inputs(spec)
    found, expected = (run_each(spec, runtime, inputs, "compare") for runtime in (compiled, native))
    difference = _difference(spec.task, found, expected)
    quantity, _, limit = _LIMITS[spec.task]
    if not np.isfinite(difference):
        return {}, "its answers are no usable numbers"
    problem = f"its answers differ by a {quantity} of {difference:.1e} (at most {limit:g})"
    return {quantity: difference}, problem if difference > limit else None


def _many_inputs(spec: ModelSpec) -> list[NDArray[np.float32]]:
    """Of many images and several kinds of people."""
    people = [Patient(), Patient(age=71, sex="male", body_site="trunk"), Patient(age=24, sex="female")]
    images = golden_images(_COMPARED)
    inputs = [model_inputs(spec, [image], people[n % len(people)]) for n, image in enumerate(images)]
    return [np.concatenate(rows) for rows in zip(*inputs, strict=True)]


def _difference(task: str, found: Output, expected: Output) -> float:
    """The largest difference of (n, output_dim) answers; infinite if one is not a number, or a vector without
    direction."""
    if not np.isfinite(found).all():
        return float("inf")
    if task == "classifier":
        return float(np.abs(found - expected).max())
    one, other = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float((1 - (one * other).sum(axis=1) / lengths).max()) if lengths.all() else float("inf")


def _patches(seed: int) -> RGB:
    random = np.random.RandomState(seed)
    height, width = random.randint(170, 480, 2)
    colours = cv2.resize(random.uniform(20, 250, (5, 6, 3)), (int(width), int(height)), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(colours + random.normal(0, 8, colours.shape), 0, 255), np.uint8)

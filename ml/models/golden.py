"""Test images, and the comparison of two models' answers to them.

A model runs on the golden image when it is fetched and each time it is loaded; both answers must agree. A compiled
model is compared with its framework on many images.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.models.preprocess import model_inputs
from ml.models.runtime import Output, Runtime, run_each
from ml.models.spec import ModelSpec
from ml.values import RGB, Patient

#: task → the quantity that is compared; the largest difference of a served model from the original; and the largest
#: difference of a compiled model from its framework. The limits are far above float32 rounding, and far below what
#: could change an answer.
_LIMITS = {"encoder": ("cosine distance", 1e-4, 1e-7), "classifier": ("probability", 1e-3, 1e-4)}
_COMPARED = 24


def golden_image() -> RGB:
    """A skin-coloured image (300, 400, 3) with a dark blob and a fine grid. It must never change, because manifests
    record the models' answers to it."""
    rows, columns = np.mgrid[0:300, 0:400].astype(np.float64)
    blob = np.exp(-(((rows - 140) / 55) ** 2 + ((columns - 210) / 75) ** 2))
    grid = ((rows.astype(int) // 6 + columns.astype(int) // 6) % 2) * 6.0
    shade = 1.0 - 0.0006 * rows + 0.0003 * columns
    skin = np.stack([208.0 - 90 * blob, 164.0 - 100 * blob, 140.0 - 85 * blob], axis=-1)
    return np.asarray(np.clip(np.rint(skin * shade[..., None] - grid[..., None]), 0, 255), dtype=np.uint8)


def golden_images(number: int) -> list[RGB]:
    """``number`` images: the golden image, and images of many sizes with soft patches of colour and fine noise."""
    return [golden_image(), *(_patches(seed) for seed in range(1, number))]


def agrees(spec: ModelSpec, found: Output, expected: Output) -> bool:
    """Whether a served model's answer to one photo agrees with the original model's. Both are (output_dim,)."""
    return _difference(spec.task, found[None], expected[None]) <= _LIMITS[spec.task][1]


def compare(spec: ModelSpec, native: Runtime, compiled: Runtime) -> tuple[dict[str, float], str | None]:
    """The largest difference between the two models' answers, as {quantity: difference}, and why the compiled model
    cannot be used, or None. Raises ModelError."""
    inputs = _many_inputs(spec)
    found, expected = (run_each(spec, runtime, inputs, "compare") for runtime in (compiled, native))
    difference = _difference(spec.task, found, expected)
    quantity, _, limit = _LIMITS[spec.task]
    if not np.isfinite(difference):
        return {}, "its answers are not finite, or are zero vectors"
    problem = f"its answers differ by a {quantity} of {difference:.1e} (at most {limit:g})"
    return {quantity: difference}, problem if difference > limit else None


def _many_inputs(spec: ModelSpec) -> list[NDArray[np.float32]]:
    """The inputs for many images and several people."""
    people = [Patient(), Patient(age=71, sex="male", body_site="trunk"), Patient(age=24, sex="female")]
    images = golden_images(_COMPARED)
    inputs = [model_inputs(spec, [image], people[n % len(people)]) for n, image in enumerate(images)]
    return [np.concatenate(rows) for rows in zip(*inputs, strict=True)]


def _difference(task: str, found: Output, expected: Output) -> float:
    """The largest difference of answers (n, output_dim). Infinite if a number is not finite or an embedding is zero."""
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

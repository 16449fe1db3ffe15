"""Turns photos and facts about the person into a model's inputs, in the form that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.imaging.reduce import average
from ml.models.patient import filled_metadata, metadata_vector
from ml.models.spec import ModelSpec, PreprocessSpec
from ml.values import RGB, Patient

Places = NDArray[np.intp]

#: a photo whose aspect ratio is more than this many times the target's is cropped before it is resized
_CROP_ASPECT = 4


def model_inputs(
    spec: ModelSpec, photos: Sequence[RGB], patient: Patient, *, fill: bool = False
) -> list[NDArray[np.float32]]:
    """The inputs of ``spec``'s model, each with a row for each photo: the images, and the patient's metadata (n, 10) if
    the model has an input "metadata". ``fill``: unknown facts are replaced by their means, not marked as unknown."""
    batch = to_batch(photos, spec.preprocess)
    if "metadata" not in spec.input_names:
        return [batch]
    metadata = filled_metadata(patient) if fill else metadata_vector(patient)
    return [batch, np.repeat(metadata[None], len(photos), axis=0)]


def to_batch(photos: Sequence[RGB], spec: PreprocessSpec) -> NDArray[np.float32]:
    """``photos`` (H, W, 3) as (n, h, w, 3) or (n, 3, h, w) float32, resized, cropped and scaled by ``spec``."""
    height, width = spec.size
    # Tiled to a whole row, because NumPy is slow on rows of three numbers.
    mean, std = (np.tile(np.array(of, np.float32), width) for of in (spec.mean, spec.std))
    rows = np.stack([(_fit(photo, spec).reshape(height, -1) - mean) / std for photo in photos])
    batch = rows.reshape(-1, height, width, 3)
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2)) if spec.layout == "NCHW" else batch


def _fit(photo: RGB, spec: PreprocessSpec) -> NDArray[np.float32]:
    height, width = spec.size
    if spec.fit == "stretch":
        return resize(photo, height, width, spec.interpolation)
    photo = _without_far_ends(photo, height, width)
    scale = max(height / photo.shape[0], width / photo.shape[1])
    covering = resize(photo, round(photo.shape[0] * scale), round(photo.shape[1] * scale), spec.interpolation)
    top, left = (covering.shape[0] - height) // 2, (covering.shape[1] - width) // 2
    return covering[top : top + height, left : left + width]


def _without_far_ends(photo: RGB, height: int, width: int) -> RGB:
    """The centre of a very long photo. It contains all that the crop shows, and enlarging the whole photo could take
    gigabytes."""
    rows = min(photo.shape[0], -(-_CROP_ASPECT * photo.shape[1] * height // width))
    columns = min(photo.shape[1], -(-_CROP_ASPECT * photo.shape[0] * width // height))
    top, left = (photo.shape[0] - rows) // 2, (photo.shape[1] - columns) // 2
    return photo[top : top + rows, left : left + columns]


def resize(photo: RGB, height: int, width: int, interpolation: str) -> NDArray[np.float32]:
    """``photo`` (H, W, 3) resized to (``height``, ``width``, 3), 0–255, not rounded.

    "bilinear" samples at half-pixel centres without smoothing, as ``tf.image.resize`` does. "area" averages areas when
    it shrinks, and is bilinear when it enlarges. "bicubic" first averages areas down to twice the target's size.
    """
    growing = photo.shape[0] < height or photo.shape[1] < width
    if interpolation == "area" and not growing:
        return average(photo, height, width)
    if interpolation != "bicubic":
        return _sample(photo, height, width)
    image: NDArray[np.float32] = photo.astype(np.float32)
    if min(photo.shape[0] / height, photo.shape[1] / width) > 2:
        image = np.asarray(cv2.resize(image, (2 * width, 2 * height), interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _sample(photo: RGB, height: int, width: int) -> NDArray[np.float32]:
    """Bilinear samples (height, width, 3) of ``photo``. Only the pixels that are needed are converted to float."""
    top, bottom, down = _neighbours(photo.shape[0], height)
    left, right, across = _neighbours(photo.shape[1], width)
    across = np.repeat(across, 3)

    def along(rows: RGB) -> NDArray[np.float32]:
        before, after = (np.take(rows, columns, axis=1).reshape(height, -1) for columns in (left, right))
        return np.asarray(before + np.subtract(after, before, dtype=np.float32) * across, np.float32)

    upper, lower = along(photo[top]), along(photo[bottom])
    return np.asarray(upper + (lower - upper) * down[:, None], np.float32).reshape(height, width, 3)


def _neighbours(source: int, target: int) -> tuple[Places, Places, NDArray[np.float32]]:
    """For each of ``target`` samples along ``source`` pixels: the pixel before it, the pixel after it, and the weight
    of the latter, each (target,)."""
    at = np.clip((np.arange(target) + 0.5) * (source / target) - 0.5, 0, source - 1)
    before = at.astype(np.intp)
    return before, np.minimum(before + 1, source - 1), (at - before).astype(np.float32)

"""RGB photos, and facts about the person, as the inputs that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.imaging.reduce import average
from ml.models.patient import metadata_vector
from ml.models.spec import ModelSpec, PreprocessSpec
from ml.values import RGB, Patient

Places = NDArray[np.intp]

#: photos longer than this many times the target's shape are cut before they are resized
_CROP_ASPECT = 4


def model_inputs(spec: ModelSpec, photos: Sequence[RGB], patient: Patient) -> list[NDArray[np.float32]]:
    """A row for each photo of what ``spec`` takes: the images and, if it has an input "metadata", the patient's."""
    batch = to_batch(photos, spec.preprocess)
    if "metadata" not in spec.input_names:
        return [batch]
    return [batch, np.repeat(metadata_vector(patient)[None], len(photos), axis=0)]


def to_batch(photos: Sequence[RGB], spec: PreprocessSpec) -> NDArray[np.float32]:
    """``photos`` as (n, h, w, 3) or (n, 3, h, w) float32, resized, cropped and scaled as ``spec`` says."""
    height, width = spec.size
    # Tiled to a whole row: NumPy would otherwise work on three numbers at a time.
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
    """The centre of a very long photo: the crop shows no more of it, and enlarging all of it could take gigabytes."""
    rows = min(photo.shape[0], -(-_CROP_ASPECT * photo.shape[1] * height // width))
    columns = min(photo.shape[1], -(-_CROP_ASPECT * photo.shape[0] * width // height))
    top, left = (photo.shape[0] - rows) // 2, (photo.shape[1] - columns) // 2
    return photo[top : top + rows, left : left + columns]


def resize(photo: RGB, height: int, width: int, interpolation: str) -> NDArray[np.float32]:
    """Resize in float32, so that no rounding stands between the photo and the model.

    "bilinear" samples at half-pixel centres without smoothing, as ``tf.image.resize`` does; "area" averages when it
    shrinks; "bicubic" is smoothed by an area pass down to twice the target first.
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
    """Bilinear samples of ``photo``. Only the pixels that they need are converted to float."""
    top, bottom, down = _neighbours(photo.shape[0], height)
    left, right, across = _neighbours(photo.shape[1], width)
    across = np.repeat(across, 3)

    def along(rows: RGB) -> NDArray[np.float32]:
        before, after = (np.take(rows, columns, axis=1).reshape(height, -1) for columns in (left, right))
        return np.asarray(before + np.subtract(after, before, dtype=np.float32) * across, np.float32)

    upper, lower = along(photo[top]), along(photo[bottom])
    return np.asarray(upper + (lower - upper) * down[:, None], np.float32).reshape(height, width, 3)


def _neighbours(source: int, target: int) -> tuple[Places, Places, NDArray[np.float32]]:
    """For each of ``target`` samples along ``source`` pixels: the pixels before and after it, and the latter's
    weight."""
    at = np.clip((np.arange(target) + 0.5) * (source / target) - 0.5, 0, source - 1)
    before = at.astype(np.intp)
    return before, np.minimum(before + 1, source - 1), (at - before).astype(np.float32)

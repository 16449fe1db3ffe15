"""One fixed image that every model is asked about when it is fetched, and again each time it is loaded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.values import RGB

#: cosine distance and absolute probability that a served model may differ from the package's own pipeline
ENCODER_TOLERANCE = 1e-4
CLASSIFIER_TOLERANCE = 1e-3


def golden_image() -> RGB:
    """A skin-coloured field with a dark blob and a fine grid, (300, 400, 3); the same on every machine."""
    rows, columns = np.mgrid[0:300, 0:400].astype(np.float64)
    blob = np.exp(-(((rows - 140) / 55) ** 2 + ((columns - 210) / 75) ** 2))
    grid = ((rows.astype(int) // 6 + columns.astype(int) // 6) % 2) * 6.0
    shade = 1.0 - 0.0006 * rows + 0.0003 * columns
    skin = np.stack([208.0 - 90 * blob, 164.0 - 100 * blob, 140.0 - 85 * blob], axis=-1)
    return np.asarray(np.clip(np.rint(skin * shade[..., None] - grid[..., None]), 0, 255), dtype=np.uint8)


def vectors_agree(found: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    """Whether two embeddings point the same way within ENCODER_TOLERANCE (cosine distance)."""
    norm = float(np.linalg.norm(found) * np.linalg.norm(expected))
    return bool(np.isfinite(found).all()) and norm > 0 and 1.0 - float(found @ expected) / norm <= ENCODER_TOLERANCE


def probabilities_agree(found: NDArray[np.float32], expected: NDArray[np.float32]) -> bool:
    """Whether two softmax outputs agree within CLASSIFIER_TOLERANCE in every class."""
    return bool(np.isfinite(found).all()) and bool(np.abs(found - expected).max() <= CLASSIFIER_TOLERANCE)

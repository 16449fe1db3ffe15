"""Photos averaged by area: each pixel of the result is the mean of what it covers, parts of pixels included."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import RGB

Floats = NDArray[np.float32]

#: rows of the result that are made at once: of so few, BLAS computes the product on the caller's own thread
_ROWS = 2


def average(photo: RGB, height: int, width: int) -> Floats:
    """``photo`` (H, W, 3) as (``height``, ``width``, 3), neither larger than the photo's; nothing is rounded.

    OpenCV's way to do the same takes twice the time: it goes along each of the photo's rows pixel by pixel before it
    adds them up. Here rows are added up first, as products of matrices, and few are left to go along.
    """
    rows = photo.reshape(len(photo), -1)
    tops, weights = _weights(len(photo), height)
    across = np.empty((len(tops) * _ROWS, rows.shape[1]), np.float32)
    for top, weight, result in zip(tops.tolist(), weights, across.reshape(len(tops), _ROWS, -1), strict=True):
        covered = rows[top : top + weight.shape[1]].astype(np.float32)
        np.matmul(weight[:, : len(covered)], covered, out=result)
    tall = across[:height].reshape(height, -1, 3)
    return np.asarray(cv2.resize(tall, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _weights(source: int, target: int) -> tuple[NDArray[np.intp], Floats]:
    """For each _ROWS of ``target`` rows, the first of ``source`` rows that they cover (n,), and the share that each row
    from there on has in each of them (n, _ROWS, covered)."""
    count = -(-target // _ROWS)
    edges = np.minimum(np.arange(count * _ROWS + 1) * (source / target), source)
    tops = edges[:-1:_ROWS].astype(np.intp)
    covered = int((np.ceil(edges[_ROWS::_ROWS]) - tops).max())
    starts = tops[:, None, None] + np.arange(covered)
    upper, lower = (some.reshape(count, _ROWS, 1) for some in (edges[:-1], edges[1:]))
    shared = np.minimum(lower, starts + 1) - np.maximum(upper, starts)
    return tops, np.asarray(np.maximum(shared, 0) * (target / source), np.float32)

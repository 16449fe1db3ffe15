"""Functions that reduce photos: to the decoder's working size, and by averaging areas."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.values import RGB

Floats = NDArray[np.float32]

#: about how many rows are converted and reduced in one step, so that there is never a second copy of all pixels
_BAND = 256
#: rows of the result that are averaged in one step; BLAS computes so small a product on the calling thread
_ROWS = 2


def shrink(picture: Image.Image | NDArray[np.uint8], side: int) -> Image.Image:
    """``picture`` with at most ``side`` pixels on its longest side. May change the image in place.

    An array is (height, width) or (height, width, 3 or 4): grey, RGB or RGBA. A larger picture is first reduced by a
    whole factor, to a side of at least ``side``, and then resized, both with a box filter. A picture that is reduced in
    two steps changes its mode if that cannot be averaged: palettes to RGB or RGBA, bits to grey, 16-bit grey to "I".
    """
    if isinstance(picture, np.ndarray):
        height, width = picture.shape[:2]
        mode = unreduced = Image.fromarray(picture[:1]).mode
    else:
        width, height = picture.size
        mode, unreduced = _averaged_mode(picture), picture.mode
    factor = max(width, height) // side
    if max(width, height) <= side or (factor == 1 and mode == unreduced):
        reduced = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    else:
        reduced = _reduce(picture, width, height, factor, mode)
    reduced.thumbnail((side, side), Image.Resampling.BOX)
    return reduced


def _averaged_mode(image: Image.Image) -> str:
    """The mode in which pixels of ``image`` can be averaged."""
    if image.mode in ("P", "PA"):
        return "RGBA" if image.has_transparency_data else "RGB"
    if image.mode == "1":
        return "L"
    return "I" if image.mode.startswith("I;") else image.mode


def _reduce(picture: Image.Image | NDArray[np.uint8], width: int, height: int, factor: int, mode: str) -> Image.Image:
    """``picture`` in ``mode``, with its sides divided by ``factor`` and rounded up."""
    reduced = Image.new(mode, (-(-width // factor), -(-height // factor)))
    step = max(1, _BAND // factor) * factor
    for top in range(0, height, step):
        bottom = min(top + step, height)
        if isinstance(picture, np.ndarray):
            band = Image.fromarray(picture[top:bottom])
        else:
            band = picture.crop((0, top, width, bottom))
        band = band if band.mode == mode else band.convert(mode)
        reduced.paste(band.reduce(factor), (0, top // factor))
    return reduced


def average(photo: RGB, height: int, width: int) -> Floats:
    """Reduce ``photo`` (H, W, 3) to (``height``, ``width``, 3), with height ≤ H and width ≤ W.

    Each pixel of the result is the mean of the area that it covers, fractions of pixels included, 0–255, not rounded.
    OpenCV's INTER_AREA alone takes twice the time, because it processes each of the H rows horizontally first. Here
    matrix products reduce the rows first, so that OpenCV only processes ``height`` rows.
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
    """For each group of _ROWS target rows: the first source row that it covers, (n,), and the weights of the source
    rows from there on in each of its target rows, (n, _ROWS, covered)."""
    count = -(-target // _ROWS)
    edges = np.minimum(np.arange(count * _ROWS + 1) * (source / target), source)
    tops = edges[:-1:_ROWS].astype(np.intp)
    covered = int((np.ceil(edges[_ROWS::_ROWS]) - tops).max())
    starts = tops[:, None, None] + np.arange(covered)
    upper, lower = (some.reshape(count, _ROWS, 1) for some in (edges[:-1], edges[1:]))
    shared = np.minimum(lower, starts + 1) - np.maximum(upper, starts)
    return tops, np.asarray(np.maximum(shared, 0) * (target / source), np.float32)

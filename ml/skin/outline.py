"""Outlines lesions with a small network, which `python -m ml.training.outlines` trains.

The outlines are for measuring; they are not a diagnosis. Other modules call `lesions`. ``params/outline.json`` says
what the network was fitted to, and how well its outlines agree with those that people draw.
"""

from __future__ import annotations

import gzip
import json
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.frame import Frame, Part, once
from ml.skin.regions import Labels, labelled
from ml.values import RGB, Floats, Mask

SIDE = 128  #: side in pixels of the square copy that the network sees
NETWORK = Path(__file__).parent / "params" / "outline.onnx.gz"
FITTED = NETWORK.with_name("outline.json")

#: The network: from normalised photos (2, 3, 128, 128), the logits (2, 1, 128, 128) that a pixel belongs to a lesion
Logits = Callable[[Floats], Floats]

INSIDE = 0.5  #: probability from which a pixel belongs to a lesion
NARROW, WIDE = 0.75, 0.25  #: the same for the narrow and the wide outline
_SURE = float(json.loads(FITTED.read_text(encoding="utf-8"))["sure"]["agreement"])
_LEAST = 0.25  # agreement of the first look under which nothing is outlined: fewer outlines on skin without a lesion
_FLAT = 0.03  # least standard deviation to which a photo is normalised; noise on even skin stays weak
_FIRST, _SECOND = ((1, 1), (1, -1)), ((-1, 1), (-1, -1))  # mirror images of each look: steps down and across
_CLOSE = 1.9  # side of the square that the second look sees over the long side of the lesion's bounding box
_SMALLEST = 24  # pixels of the first look; a smaller bounding box counts as one of this side
_TRUST = 2 / 3  # weight of the second look: it counts twice
_SPECK = 0.0008  # share of the photo; smaller parts are noise
_BESIDE = 0.5  # of the largest part's area; smaller parts are ignored


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The lesions of a photo.

    ``mask`` (H, W): where a lesion is more probable than not. ``wide`` and ``narrow``: the same from a lower and a
    higher probability; ``narrow`` may be all False. ``sure``: the shape may be measured.
    """

    mask: Mask
    wide: Mask
    narrow: Mask
    sure: bool = True

    @cached_property
    def parts(self) -> tuple[Labels, NDArray[np.intp]]:
        """The connected parts of ``mask``: their numbers from 1 on (H, W), and the pixels of each; 0 for number 0."""
        return labelled(self.mask, 4)


@once
def lesions(part: Part) -> Segmentation | None:
    """The lesions of a part; None if there are none. On a face only the skin of its zones is searched, because lips,
    eyes and nostrils would count as lesions too."""
    if not part.region.usable:
        return None
    if part.face is None and part.zone is None:
        return _of_photo(part.frame)
    return outline(part.frame.copy, part.region.mask)


@once
def _of_photo(frame: Frame) -> Segmentation | None:
    """The lesions of a whole photo, which do not depend on its skin mask."""
    return outline(frame.copy)


def outline(rgb: RGB, within: Mask | None = None) -> Segmentation | None:
    """The lesions in ``rgb`` (H, W, 3), and only those parts that lie ``within`` a mask (H, W) if there is one. None if
    there is no lesion."""
    likely = probability(rgb, _logits)
    return None if likely is None else from_probability(likely, rgb.shape, within)


def lesion_probability(rgb: RGB) -> Floats | None:
    """The probability (H, W) that a pixel of ``rgb`` (H, W, 3) belongs to a lesion; None if there is no lesion."""
    likely = probability(rgb, _logits)
    return None if likely is None else _grown(likely, rgb.shape)


def probability(rgb: RGB, logits: Logits) -> Floats | None:
    """The probability (128, 128) that a pixel of ``rgb`` (H, W, 3) belongs to a lesion; None if there is no lesion.

    The network sees the photo, then the square around the lesion that it found, so that a small lesion has more pixels.
    If the lesion takes up more than about half of the photo's width or height, there is no second look.
    """
    first = _look(rgb, _FIRST, logits)
    likely = _of_large_parts(first)
    if agreement(likely > NARROW, likely > WIDE) < _LEAST:
        return None
    (top, bottom), (left, right) = _square(likely > INSIDE)
    if bottom - top == SIDE:
        return likely
    height, width = rgb.shape[0] / SIDE, rgb.shape[1] / SIDE
    close = rgb[int(top * height) : math.ceil(bottom * height), int(left * width) : math.ceil(right * width)]
    second = cv2.resize(_look(close, _SECOND, logits), (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    first[top:bottom, left:right] += np.float32(_TRUST) * (second - first[top:bottom, left:right])
    return _of_large_parts(first)


def _square(lesion: Mask) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first row and the row after the last, and the same of columns, of a square around ``lesion`` (128, 128)."""
    left, top, wide, high = cv2.boundingRect(lesion.view(np.uint8))
    side = min(SIDE, round(_CLOSE * max(wide, high, _SMALLEST)))
    rows, columns = (
        min(max(0, round(start + (size - side) / 2)), SIDE - side) for start, size in ((top, high), (left, wide))
    )
    return (rows, rows + side), (columns, columns + side)


def from_probability(likely: Floats, shape: tuple[int, ...], within: Mask | None = None) -> Segmentation | None:
    """The outlines in a photo of ``shape`` (H, W, …) by the `probability` that a pixel belongs to a lesion."""
    grown = _grown(likely, shape)
    mask, wide, narrow = (
        np.asarray(grown > least if within is None else (grown > least) & within, np.bool_)
        for least in (INSIDE, WIDE, NARROW)
    )
    return Segmentation(mask, wide, narrow, sure=agreement(narrow, wide) >= _SURE) if mask.any() else None


def _grown(likely: Floats, shape: tuple[int, ...]) -> Floats:
    """``likely`` (128, 128) in the size of a photo of ``shape`` (H, W, …)."""
    return np.asarray(cv2.resize(likely, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def agreement(narrow: Mask, wide: Mask) -> float:
    """The area of the narrow outline over that of the wide one, 0–1: 1 if the network has no doubt about any pixel."""
    return float(np.count_nonzero(narrow)) / max(1.0, float(np.count_nonzero(wide)))


def _of_large_parts(probable: Floats) -> Floats:
    """``probable`` (H, W) without parts that are small beside the largest one: what is near a large part stays probable
    enough for the wide outline only, all else is 0."""
    labels, areas = labelled(probable > INSIDE, 4)
    large = areas >= max(_SPECK * probable.size, _BESIDE * areas.max(initial=1))
    large[0] = False
    likely = np.where(large[labels], probable, np.minimum(probable, np.float32(INSIDE)))
    around, _ = labelled(likely > WIDE, 4)
    near = np.isin(around, np.unique(around[large[labels]]))
    return np.where(near, likely, np.float32(0))


def _look(rgb: RGB, flips: Sequence[tuple[int, int]], logits: Logits) -> Floats:
    """The mean (128, 128) of the probabilities in two mirror images of ``rgb``."""
    photo = normalised(np.asarray(cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8))
    mirrored = 1 / (1 + np.exp(-logits(np.stack([photo[:, ::down, ::across] for down, across in flips]))[:, 0]))
    upright = [one[::down, ::across] for one, (down, across) in zip(mirrored, flips, strict=True)]
    return np.asarray(np.mean(upright, axis=0), np.float32)


def normalised(rgb: RGB) -> Floats:
    """``rgb`` (H, W, 3) as the network takes it, (3, H, W): each channel less its mean, over the standard deviation of
    all."""
    values = np.ascontiguousarray(rgb.transpose(2, 0, 1), np.float32) / np.float32(255)
    values -= values.mean(axis=(1, 2), keepdims=True)
    return np.asarray(values / max(np.float32(values.std()), np.float32(_FLAT)), np.float32)


_one_at_a_time = threading.Lock()  # a network keeps its input and output, and one for each thread would take memory


@cache
def _network() -> cv2.dnn.Net:
    return cv2.dnn.readNetFromONNX(np.frombuffer(gzip.decompress(NETWORK.read_bytes()), np.uint8))


def load() -> None:
    """Load the network now, so that the first photo does not wait for it."""
    _logits(np.zeros((len(_FIRST), 3, SIDE, SIDE), np.float32))


def _logits(batch: Floats) -> Floats:
    """The network's output (2, 1, 128, 128) for normalised photos (2, 3, 128, 128)."""
    with _one_at_a_time:
        network = _network()
        network.setInput(batch)
        return np.array(network.forward(), np.float32)

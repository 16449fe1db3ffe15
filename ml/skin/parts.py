"""Connected parts of a mask: which are noise, which are holes, and which belong to what they lie beside."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.values import Mask

SPECK = 0.002  #: share of the photo; smaller patches are noise
_HOLE = 0.30  # share of the photo; lesions and highlights up to this, enclosed by skin, belong to it

# A patch of another colour belongs to the skin beside it up to these: its share of the photo, its share of the
# frame, and the least share of its outline that skin borders. What lies behind a person meets the frame on more than
# one side; of a half disc that the frame cuts off, skin borders .61.
_LARGEST, _FRAMED, _BORDERED = 0.40, 0.15, 0.55
_NEAR = np.ones((7, 7), np.uint8)  # what lies between two colours is of neither
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_ROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def tidy(mask: Mask) -> Mask:
    """``mask`` (H, W) without specks, and with the holes filled that it encloses."""
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, _ROUND)
    closed = np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _ROUND), np.bool_)
    solid = _parts(closed, 8, least=SPECK)
    return solid | _parts(~solid, 4, most=_HOLE, enclosed=True)


def with_bordered(mask: Mask, candidate: Mask) -> Mask:
    """``mask`` and those parts of ``candidate`` (H, W both) that it, rather than the frame or all else, borders."""
    left = cv2.morphologyEx((candidate & ~mask).view(np.uint8), cv2.MORPH_OPEN, _ROUND)
    if not left.any():
        return mask
    number, found, stats, _ = cv2.connectedComponentsWithStats(left, connectivity=4)
    labels = np.asarray(found, np.int32)
    inner = cv2.erode(left, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    outline = np.asarray(left, np.bool_) & ~np.asarray(inner, np.bool_)
    beside = outline & np.asarray(cv2.dilate(mask.view(np.uint8), _NEAR), np.bool_)
    framed = outline & _frame(mask.shape)
    around, touching, cut = (_count(labels, some, number) for some in (outline, beside & ~framed, framed))
    share = stats[:, cv2.CC_STAT_AREA] / mask.size
    kept = (share >= SPECK) & (share <= _LARGEST) & (touching >= _BORDERED * around)
    kept &= cut <= _FRAMED * 2 * sum(mask.shape)
    kept[0] = False
    return tidy(mask | kept[labels]) if kept.any() else mask


def _count(labels: NDArray[np.int32], some: Mask, number: int) -> NDArray[np.intp]:
    """How many pixels of each label lie in ``some``."""
    return np.bincount(labels[some], minlength=number)


def _frame(shape: tuple[int, ...]) -> Mask:
    frame = np.ones(shape, np.bool_)
    frame[1:-1, 1:-1] = False
    return frame


def _parts(mask: Mask, connectivity: int, least: float = 0, most: float = 1, enclosed: bool = False) -> Mask:
    """The connected parts of ``mask`` of a size between two shares of the photo; ``enclosed``: away from its edge."""
    if not mask.any():
        return mask
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=connectivity)
    shares = stats[:, cv2.CC_STAT_AREA] / mask.size
    kept = (shares >= least) & (shares <= most)
    if enclosed:
        height, width = mask.shape
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
        kept &= (left > 0) & (top > 0) & (right < width) & (bottom < height)
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)

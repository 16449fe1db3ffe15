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
_SLACK = 0.08  # of a part's outline and of the frame: by how little it must fall short to belong to skin as well as not
_WORTH = 0.05  # of the photo: parts that make less of a difference are not worth a doubt
_NEAR = np.ones((7, 7), np.uint8)  # what lies between two colours is of neither
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)
_ROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def tidy(mask: Mask) -> Mask:
    """``mask`` (H, W) without specks, and with the holes filled that it encloses."""
    whole = solid(mask)
    return whole | holes(whole)


def doubtful_holes(mask: Mask) -> Mask | None:
    """What would be one of the ``holes`` of a ``solid`` mask (H, W) and is not, or the other way round, were the mask's
    edges a pixel further in or out; None where that is hardly anything."""
    if not _matters(~mask):
        return None
    filled = holes(mask)
    for move in (cv2.erode, cv2.dilate):
        moved = move(mask.view(np.uint8), _SQUARE, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        otherwise = cv2.dilate(holes(np.asarray(moved, np.bool_)).view(np.uint8), _SQUARE)
        doubtful = filled ^ (np.asarray(otherwise, np.bool_) & ~mask)
        if _matters(doubtful):
            return doubtful
    return None


def with_bordered(mask: Mask, candidate: Mask) -> tuple[Mask, Mask | None]:
    """``mask`` and those parts of ``candidate`` (H, W both) that it, rather than the frame or all else, borders; and
    what it may as well be, where that is a close call for a part worth it."""
    left = cv2.morphologyEx((candidate & ~mask).view(np.uint8), cv2.MORPH_OPEN, _ROUND)
    labels, areas = labelled(np.asarray(left, np.bool_), 4)
    share = areas / mask.size
    kept = (share >= SPECK) & (share <= _LARGEST)
    kept[0] = False
    if not kept.any():
        return mask, None
    inner = cv2.erode(left, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    outline = np.asarray(left, np.bool_) & ~np.asarray(inner, np.bool_)
    beside = outline & np.asarray(cv2.dilate(mask.view(np.uint8), _NEAR), np.bool_)
    framed = outline & _frame(mask.shape)
    around, touching, cut = (_count(labels, some, len(areas)) for some in (outline, beside & ~framed, framed))
    sure, bordered, perhaps = (
        kept & (touching >= (_BORDERED + slack) * around) & (cut <= (_FRAMED - slack / 2) * 2 * sum(mask.shape))
        for slack in (_SLACK, 0.0, -_SLACK)
    )
    found = tidy(mask | bordered.take(labels)) if bordered.any() else mask
    unsure = perhaps & ~sure
    if not unsure.any():
        return found, None
    other = tidy(mask | (bordered ^ unsure).take(labels))
    return found, other if _matters(found ^ other) else None


def _matters(doubtful: Mask) -> bool:
    return bool(np.count_nonzero(doubtful) >= _WORTH * doubtful.size)


def solid(mask: Mask) -> Mask:
    """``mask`` (H, W) without specks, and without gaps of a pixel."""
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, _ROUND)
    closed = np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, _ROUND), np.bool_)
    return _parts(closed, 8, least=SPECK)


def holes(mask: Mask) -> Mask:
    """What ``mask`` (H, W) encloses."""
    return _parts(~mask, 4, most=_HOLE, enclosed=True)


def labelled(mask: Mask, connectivity: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """The connected parts of ``mask`` (H, W), numbered from 1, and how many pixels each has; of number 0, none.

    OpenCV's own statistics take several times as long as its labels: they add up what lies beside the mask too.
    """
    number, found = cv2.connectedComponents(mask.view(np.uint8), connectivity=connectivity)
    labels = np.asarray(found, np.int32)
    if number == 2:
        return labels, np.array([0, np.count_nonzero(mask)])
    return labels, _count(labels, mask, number)


def _count(labels: NDArray[np.int32], some: Mask, number: int) -> NDArray[np.intp]:
    """How many pixels of each label lie in ``some``."""
    return np.bincount(labels[some], minlength=number)


def _frame(shape: tuple[int, ...]) -> Mask:
    frame = np.ones(shape, np.bool_)
    frame[1:-1, 1:-1] = False
    return frame


def _parts(mask: Mask, connectivity: int, least: float = 0, most: float = 1, enclosed: bool = False) -> Mask:
    """The connected parts of ``mask`` of a size between two shares of the photo; ``enclosed``: away from its edge."""
    labels, areas = labelled(mask, connectivity)
    shares = areas / mask.size
    kept = (shares >= least) & (shares <= most)
    kept[0] = False
    if enclosed:
        for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            kept[edge] = False
    return mask if kept[1:].all() else np.asarray(kept.take(labels), np.bool_)

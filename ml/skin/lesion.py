"""Where lesions stand out of the skin around them, and which skin lies around them.

Geometry to measure by, not a diagnosis: patches that differ from bare skin far more than bare skin does from itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import to_side
from ml.skin.conspicuity import BareSkin, conspicuity
from ml.skin.parts import labelled
from ml.skin.patches import Thresholds, find_patches
from ml.values import RGB, Mask

_SIDE = 256  # long side on which outlines are found
_SPECK = 0.0006  # of the photo; smaller patches are pores and noise
_BESIDE = 0.04  # of the largest patch's area; smaller ones beside it are not what the photo was taken for
_BARE = BareSkin(density=0.01, codes=0.3, mottled=False)  # a faint lesion may be as broad as mottling
_LOW, _PEAK = 3.0, 6.0  # standard deviations from bare skin
_GAP, _UNLIKE = 9, 2.0  # pixels, standard deviations: scale lies in flakes, and between two shows what is hardly skin
_STEP = 0.3  # by which the thresholds are moved to tell how sure an outline is
_MOST = 0.90  # of the skin: more leaves nothing to compare with
_DOUBTFUL = 0.45  # of the skin: where so much stands out, the rest of it may as well be what does
_GUARD, _RING = 0.02, 0.08  # of the photo's long side: the border left out, and the width of the ring beyond


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Lesions in a photo, (H, W) each: ``mask``, and the same at thresholds a step lower (``wide``) and higher
    (``narrow``), all False where nothing is left of them."""

    mask: Mask
    wide: Mask
    narrow: Mask

    @cached_property
    def parts(self) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """The connected parts of the mask, numbered from 1 (H, W), and how many pixels each has; of number 0, none."""
        return labelled(self.mask, 4)


def lesion_mask(rgb: RGB, skin: Mask) -> Mask | None:
    """Everything in ``rgb`` (H, W, 3) that stands out of ``skin`` (H, W), or None where nothing does."""
    found = segment_lesion(rgb, skin)
    return None if found is None else found.mask


def segment_lesion(rgb: RGB, skin: Mask) -> Segmentation | None:
    """``lesion_mask`` with the outlines that other thresholds would have given."""
    height, width = skin.shape
    small = to_side(rgb, _SIDE)
    inside = cv2.resize(skin.view(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST).view(np.bool_)
    distance = conspicuity(small, inside, _BARE)
    if distance is None:
        return None
    thresholds = Thresholds(_LOW, _PEAK, _SPECK * inside.size, _BESIDE)
    found, wide, narrow = (
        _joined(find_patches(distance, inside, thresholds.moved(1 + step)), inside & (distance > _UNLIKE))
        for step in (0, -_STEP, _STEP)
    )
    if not found.any() or np.count_nonzero(found) > _MOST * np.count_nonzero(inside):
        return None
    return Segmentation(*(_enlarge(mask, (width, height)) & skin for mask in (found, wide, narrow)))


def is_doubtful(found: Segmentation, skin: Mask) -> bool:
    """Whether so much of ``skin`` (H, W) stands out that it is a guess which part of it is bare."""
    return bool(np.count_nonzero(found.mask) > _DOUBTFUL * np.count_nonzero(skin))


def _joined(patches: Mask, unlike_skin: Mask) -> Mask:
    """``patches`` (H, W) with the narrow gaps between and in them filled where ``unlike_skin`` (H, W)."""
    if not patches.any():
        return patches
    box = _within(patches, 0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_GAP, _GAP))
    framed = cv2.copyMakeBorder(patches[box].view(np.uint8), _GAP, _GAP, _GAP, _GAP, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, kernel)[_GAP:-_GAP, _GAP:-_GAP].astype(np.bool_)
    joined = patches.copy()
    joined[box] |= closed & unlike_skin[box]
    return joined


def surroundings(lesion: Mask, skin: Mask) -> Mask:
    """A ring of ``skin`` around ``lesion``, a little off its border, which belongs to neither."""
    side = max(lesion.shape)
    reach = (_GUARD + _RING) * side
    near = _within(lesion, math.ceil(reach))
    distance = cv2.distanceTransform((~lesion[near]).view(np.uint8), cv2.DIST_L2, 5)
    ring = np.zeros_like(skin)
    ring[near] = skin[near] & (distance > _GUARD * side) & (distance <= reach)
    return ring


def _within(mask: Mask, margin: int) -> tuple[slice, slice]:
    """The rows and columns of ``mask``'s bounding box and ``margin`` pixels around it."""
    left, top, wide, high = cv2.boundingRect(mask.view(np.uint8))
    return (
        slice(max(0, top - margin), top + high + margin),
        slice(max(0, left - margin), left + wide + margin),
    )


def _enlarge(mask: Mask, size: tuple[int, int]) -> Mask:
    """``mask`` at ``size`` (width, height), its outline drawn between the pixels rather than along them."""
    grown = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown > 0.5, np.bool_)

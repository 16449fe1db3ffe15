"""Measures two aligned photos of the same skin against each other.

Both photos are cut to what both show. The light of the second one is set to that of the first by one factor for each
channel (von Kries), from the skin that both show. Then each value is taken at the same places of both photos. So errors
of the outline and of the framing cancel, which remain if each photo is measured alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ml.imaging.encodings import linear_to_srgb
from ml.skin.alignment import Alignment
from ml.skin.colour import CLIPPED, extremes, optical_density, srgb_to_linear
from ml.skin.frame import Frame, Subject
from ml.skin.lesion import DIFFERENCES, lesion_differences
from ml.skin.outline import INSIDE, NARROW, WIDE, Segmentation, lesion_probability
from ml.skin.pigment import erythema_index
from ml.skin.regions import MIN_PIXELS
from ml.values import RGB, Doubles, Floats, Mask

#: codes of the measures that only two aligned photos have
LESION_AREA, REDNESS_CONTRAST = "lesion_area", "redness_contrast"

_LEAST_SHARED = 0.15  # share of the first photo that both must show
_LEAST_SIDE = 64  # pixels of the shared part
_CUT = 0.02  # largest share of an edge of the shared part that the second photo does not show
_STEP = 4  # pixels by which the shared part shrinks at a time
_DARK = 4  # codes; a darker channel has no usable density
_SMOOTH = 0.01  # of the long side: standard deviation of the Gaussian before colours are compared
_REDDEST = 0.2  # share of the skin whose redness is compared with the rest
_EDGE, _AROUND, _BLUR = 0.5, 0.35, 0.06  # of the lesion's depth, see `_areas`
_FROM, _TO = 0.25, 0.75  # projections of 0 and of 1 pixel of lesion; less is the noise of skin
_LEAST_MARK = 50  # pixels


@dataclass(frozen=True)
class PairedValue:
    """A value in both photos, and the part of the uncertainty of their difference that the photos show."""

    before: float
    after: float
    own: float = 0.0


@dataclass(frozen=True, eq=False)
class AlignedSkin:
    """What both photos show, in the frame of the first one.

    ``before``, ``after``: frames of equal size (h, w); the second one in the light of the first. ``usable`` (h, w):
    skin whose colours both photos show. ``light`` (3,): how much brighter R, G and B are in the second photo, as
    natural logarithms.
    """

    before: Frame
    after: Frame
    usable: Mask
    light: Doubles

    @property
    def light_apart(self) -> float:
        """How far the light of the photos differs: the root mean square of ``light``."""
        return float(np.sqrt(np.mean(self.light**2)))


def aligned_skin(before: RGB, after: RGB, alignment: Alignment) -> AlignedSkin | None:
    """What ``before`` (H, W, 3) and ``after`` both show. None if that is too little."""
    moved = alignment.warp(after, before.shape)
    seen = alignment.warp_mask(np.ones(after.shape[:2], np.bool_), before.shape)
    box = _shared(seen)
    if box is None:
        return None
    first, second, seen = before[box], moved[box], seen[box]
    clear = seen & _unclipped(first) & _unclipped(second)
    if np.count_nonzero(clear) < MIN_PIXELS:
        return None
    apart = (optical_density(first) - optical_density(second))[clear]
    light = np.asarray(np.median(apart, axis=0), np.float64)
    relit = _relit(second, light)
    frames = Frame(np.ascontiguousarray(first)), Frame(relit)
    skin = np.logical_and(*(Subject(frame).whole.skin for frame in frames))
    return AlignedSkin(*frames, clear & _unclipped(relit) & skin, light)


def paired(skin: AlignedSkin) -> Mapping[str, PairedValue]:
    """Code of the measure → its value in both photos: the differences in colour of the lesion, in the order of
    `ml.skin.lesion.DIFFERENCES`, the area of the lesion, and the contrast of redness. What cannot be measured is left
    out."""
    found: dict[str, PairedValue] = {}
    likely = [lesion_probability(frame.copy) for frame in (skin.before, skin.after)]
    if likely[0] is not None and likely[1] is not None:
        found |= _colours(skin, likely[0], likely[1])
        if (area := _areas(skin, likely[0] > INSIDE, likely[1] > INSIDE)) is not None:
            found[LESION_AREA] = area
    if (contrast := _redness(skin)) is not None:
        found[REDNESS_CONTRAST] = contrast
    return found


def _shared(seen: Mask) -> tuple[slice, slice] | None:
    """The rows and columns of a box in which the second photo shows nearly everything. None if it is too small."""
    if not seen.any():
        return None
    left, top, wide, high = cv2.boundingRect(seen.view(np.uint8))
    right, bottom = left + wide, top + high
    while min(right - left, bottom - top) >= _LEAST_SIDE:
        part = seen[top:bottom, left:right]
        missing = [1 - float(edge.mean()) for edge in (part[0], part[-1], part[:, 0], part[:, -1])]
        worst = int(np.argmax(missing))
        if missing[worst] <= _CUT:
            enough = part.size >= _LEAST_SHARED * seen.size
            return (slice(top, bottom), slice(left, right)) if enough else None
        top, bottom = top + _STEP * (worst == 0), bottom - _STEP * (worst == 1)
        left, right = left + _STEP * (worst == 2), right - _STEP * (worst == 3)
    return None


def _unclipped(rgb: RGB) -> Mask:
    least, greatest = extremes(np.ascontiguousarray(rgb))
    return np.asarray((least > _DARK) & (greatest < CLIPPED), np.bool_)


def _relit(rgb: RGB, light: Doubles) -> RGB:
    """``rgb`` (h, w, 3) with each channel's light divided by exp(``light``)."""
    linear = srgb_to_linear(np.ascontiguousarray(rgb)) * np.exp(-light).astype(np.float32)
    return np.asarray(linear_to_srgb(np.minimum(linear, 1)), np.uint8)


def _colours(skin: AlignedSkin, first: Floats, second: Floats) -> dict[str, PairedValue]:
    """The differences in colour between the lesion and the skin around it, inside and outside one outline that holds
    the lesion of both photos. ``first``, ``second`` (h, w): the probabilities of a lesion."""
    mask, wide, narrow = (np.maximum(first, second) > least for least in (INSIDE, WIDE, NARROW))
    both = Segmentation(mask, wide, narrow)
    values = zip(*(lesion_differences(frame, both, skin.usable) for frame in (skin.before, skin.after)), strict=True)
    return {
        measure.name: PairedValue(before, after)
        for measure, ((before, _), (after, _)) in zip(DIFFERENCES, values, strict=True)
        if before is not None and after is not None
    }


def _areas(skin: AlignedSkin, first: Mask, second: Mask) -> PairedValue | None:
    """The area of the lesion, 100 in the first photo. ``first``, ``second`` (h, w): the lesion by its outlines.

    Each photo's optical density is projected on the line from the skin around to the lesion's core, 0 to 1, by
    Fisher's discriminant. The area is the sum of the projection near the lesion. So a blurred edge counts by half, and
    the outline only says where to look. The uncertainty includes the difference from the ratio of the outlined areas.
    """
    inside, outside = first & second, first | second
    depth = float(cv2.distanceTransform(outside.view(np.uint8), cv2.DIST_L2, 5).max())
    deep = cv2.distanceTransform(inside.view(np.uint8), cv2.DIST_L2, 5)
    core = (deep > _EDGE * deep.max()) & skin.usable
    away = cv2.distanceTransform((~outside).view(np.uint8), cv2.DIST_L2, 5)
    near, ring = away <= max(3.0, _AROUND * depth), skin.usable & (away > _AROUND * depth) & (away <= 2 * depth)
    if min(np.count_nonzero(core), np.count_nonzero(ring)) < _LEAST_MARK:
        return None
    sums = [
        _projected(frame.copy, core, ring, max(1.0, _BLUR * depth))[near].sum() for frame in (skin.before, skin.after)
    ]
    outlined = np.count_nonzero(second) / np.count_nonzero(first)
    ratio = float(sums[1] / max(sums[0], 1e-6))
    return PairedValue(100.0, 100 * ratio, 100 * abs(ratio - outlined))


def _projected(rgb: RGB, core: Mask, ring: Mask, sigma: float) -> Floats:
    """How far each pixel of ``rgb`` (h, w, 3) counts as lesion, 0–1: (h, w)."""
    density = np.asarray(cv2.GaussianBlur(optical_density(rgb), (0, 0), sigma), np.float64)
    around = density[ring]
    skin = np.median(around, axis=0)
    step = np.median(density[core], axis=0) - skin
    weights = np.linalg.solve(np.cov(around.T) + 1e-3 * np.eye(3), step)
    along = (density - skin) @ weights / max(float(step @ weights), 1e-9)
    return np.asarray(np.clip((along - _FROM) / (_TO - _FROM), 0, 1), np.float32)


def _redness(skin: AlignedSkin) -> PairedValue | None:
    """How much redder the reddest fifth of the skin is than the rest, as a mean erythema index. The fifth is that of
    both photos together, so that noise does not favour one of them."""
    if np.count_nonzero(skin.usable) < MIN_PIXELS:
        return None
    sigma = _SMOOTH * max(skin.usable.shape)
    first, second = (
        erythema_index(srgb_to_linear(np.asarray(cv2.GaussianBlur(frame.copy, (0, 0), sigma), np.uint8)))
        for frame in (skin.before, skin.after)
    )
    both = (first + second)[skin.usable]
    red = both >= np.quantile(both, 1 - _REDDEST)
    before, after = (float(one[skin.usable][red].mean() - one[skin.usable][~red].mean()) for one in (first, second))
    return PairedValue(before, after)

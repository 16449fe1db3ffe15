"""Counts round spots that are redder and darker than the skin around them, such as pimples.

A spot is a local maximum of a difference of Gaussians (Marr and Hildreth, Proc. R. Soc. Lond. B 207, 1980) of the
skin's optical density. Haemoglobin absorbs green light, so the density is that of green, plus the erythema index
(density of green less that of red; Diffey et al., Br. J. Dermatol. 111, 1984). A difference of densities depends
neither on the light's brightness nor on its colour. The ratio of the curvatures at the maximum leaves out lines: hairs,
folds and edges.

`python -m research.spots FOLDER` compares the count with the number of spots that people have marked.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ml.skin.colour import optical_density
from ml.skin.declaration import Measure
from ml.skin.frame import Part, once
from ml.skin.regions import MIN_PIXELS, UNKNOWN, Value
from ml.values import RGB, Floats, Mask, Zone

_DENSITY = np.array([[-1, 2, 0]], np.float32)  # of red, green and blue, in the sum that shows a spot
_SIGMA = 3.6  # pixels: the inner Gaussian's standard deviation, on a copy on which spots have about this radius
_OUTER = 1.6  # the outer Gaussian's standard deviation over the inner one's, as in Marr and Hildreth's
_HEIGHT = 0.08  # least height of a maximum of the difference, in optical density (natural logarithm)
_ROUND = 0.5  # least ratio of the smaller curvature at the maximum over the larger one
# The size of a spot, as the inner Gaussian's standard deviation: over the largest side of the box around a face's
# zones, and over the long side of a photo without a face. These, _HEIGHT, _ROUND and _DENSITY were chosen among a few
# settings on one half of the photos in docs/methods/lesion-and-face.md; the other half gives the figures.
_OF_FACE, _OF_PHOTO = 0.012, 0.0094
_LEAST_SIGMA = 1.5  # pixels of the working copy; spots on a smaller face cannot be told from noise
_MARGIN = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))  # no spot lies as near to the edge of skin
_NEIGHBOURS = np.ones((5, 5), np.uint8)  # a maximum is the largest of these
_HEIGHTS = (0.7, 1.3)  # factors of the least height; the changes of the count with them are its uncertainty


@once
def _count(part: Part) -> Value:
    copy = part.frame.copy
    if part.lost or not part.region.usable:
        return UNKNOWN
    if not part.zones:
        return count_spots(copy, part.skin, _OF_PHOTO * max(copy.shape))
    inside, side = _face(part.zones, part.skin)
    return count_spots(copy, inside, _OF_FACE * side)


def count_spots(rgb: RGB, skin: Mask, sigma: float) -> Value:
    """The number of spots on the ``skin`` (H, W) of ``rgb`` (H, W, 3), and its uncertainty.

    ``sigma``: the standard deviation in pixels of the Gaussian that fits a spot. Unknown if it is under 1.5, or if
    there is too little skin.
    """
    left, top, width, height = cv2.boundingRect(skin.view(np.uint8))
    if sigma < _LEAST_SIGMA or width * height < MIN_PIXELS:
        return UNKNOWN
    box = slice(top, top + height), slice(left, left + width)
    scale = min(1.0, _SIGMA / sigma)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(rgb[box], size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = cv2.resize(skin[box].view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    inside = cv2.erode(inside, _MARGIN)
    if cv2.countNonZero(inside) < MIN_PIXELS:
        return UNKNOWN
    heights = _heights(small, np.asarray(inside, np.bool_), sigma * scale)
    number, more, fewer = (int((heights > _HEIGHT * factor).sum()) for factor in (1.0, *_HEIGHTS))
    return float(number), max(0.5, math.hypot(more - number, number - fewer))


def _heights(rgb: RGB, inside: Mask, sigma: float) -> Floats:
    """The heights (n,) of the round maxima ``inside`` (H, W), from the lowest that is of use on."""
    density = cv2.transform(optical_density(rgb), _DENSITY)
    inner = cv2.GaussianBlur(density, (0, 0), sigma)
    difference = inner - cv2.GaussianBlur(density, (0, 0), sigma * _OUTER)
    high = (difference > _HEIGHT * min(_HEIGHTS)) & inside
    rows, columns = np.nonzero(high & (difference >= cv2.dilate(difference, _NEIGHBOURS)))
    across, down, mixed = (cv2.Sobel(inner, cv2.CV_32F, *order)[rows, columns] for order in ((2, 0), (0, 2), (1, 1)))
    mean, apart = (across + down) / 2, np.hypot((across - down) / 2, mixed)
    # The curvatures are mean − apart and mean + apart; at a maximum both are negative.
    return np.asarray(difference[rows, columns][mean + apart < _ROUND * (mean - apart)], np.float32)


def _face(zones: tuple[Zone, ...], skin: Mask) -> tuple[Mask, float]:
    """The ``skin`` (H, W) in the convex hull of a face's ``zones`` without the eyes, and the largest side of the box
    around the zones in pixels. The zones leave gaps, such as the sides of the cheeks, in which there are spots too."""
    hulls = {zone.name: _hull(np.array(zone.polygon, np.float32) * skin.shape[::-1]) for zone in zones}
    face = _hull(np.concatenate(list(hulls.values())))
    inside = cv2.fillPoly(np.zeros(skin.shape, np.uint8), [np.rint(face).astype(np.int32)], 1)
    eyes = [np.rint(hull).astype(np.int32) for name, hull in hulls.items() if name.startswith("around_")]
    cv2.fillPoly(inside, eyes, 0)
    return inside.view(np.bool_) & skin, float(np.ptp(face, axis=0).max())


def _hull(points: Floats) -> Floats:
    """The corners (m, 2) of the convex hull of ``points`` (n, 2)."""
    return np.asarray(cv2.convexHull(points.astype(np.float32))[:, 0], np.float32)


MEASURES = (
    Measure(
        name="spot_count",
        label="Spots",
        unit="spots",
        direction="more spots",
        description="The number of small round spots that are redder and darker than the skin around them, such as "
        "pimples. Moles and freckles may count too. The count of a distant photo is too low, and that of a very small "
        "face is unknown.",
        method="round local maxima of a difference of Gaussians of optical density (twice green less red), at a scale "
        "of the face or the photo; uncertainty: a fitted limit for two photos of the same skin, with the changes "
        "of the count at thresholds 30% lower and higher",
        measured=_count,
        standard_in=("face",),  # in close-ups of unknown scale the skin's texture counts too
    ),
)

"""Where a lesion stands out of the skin around it, and which skin lies around it.

Geometry to measure by, not a diagnosis: a patch that holds more melanin or haemoglobin than its surroundings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import optical_density, shrink
from ml.skin.ranks import median
from ml.values import RGB, Mask

Floats = NDArray[np.float32]

_SIDE = 256  # long side on which the contour is found
_SHARE = (0.002, 0.60)  # of the skin: smaller is a speck, larger leaves no surroundings to compare with
_LEAST_CONTRAST = 0.12  # difference of optical density (natural) between lesion and surroundings
_LEAST_SEPARATION = 3.2  # the same difference in within-class standard deviations; cut Gaussian noise gives 2.65
_ENCLOSED = 0.9  # of a lesion's border must face skin: hair, shadow and background reach in from an edge
_GREEN_AND_BLUE = np.array([[0.0, 0.5, 0.5]], np.float32)
_GUARD, _RING = 0.02, 0.08  # of the photo's long side: the border left out, and the width of the ring beyond


def lesion_mask(rgb: RGB, skin: Mask) -> Mask | None:
    """The largest patch of denser pigment enclosed by ``skin`` (H, W), or None where nothing stands out.

    Otsu's threshold (1979) on the pigment contrast of skin, accepted only where the two classes lie further
    apart than noise or an even slope would put them.
    """
    height, width = skin.shape
    small = shrink(rgb, _SIDE)
    inside = cv2.resize(skin.view(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    found = _find(small, np.asarray(inside, np.bool_))
    if found is None:
        return None
    grown = cv2.resize(found.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(grown, np.bool_) & skin


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


def _find(rgb: RGB, skin: Mask) -> Mask | None:
    if np.count_nonzero(skin) < 1 / _SHARE[0]:
        return None
    contrast = _contrast(rgb, skin)
    values = contrast[skin]
    if float(values.max() - values.min()) < _LEAST_CONTRAST:
        return None
    dense = skin & (contrast > _otsu(values))
    if not _separate(contrast[dense], contrast[skin & ~dense]):
        return None
    least, most = (share * np.count_nonzero(skin) for share in _SHARE)
    for patch in _patches(dense):
        if least <= np.count_nonzero(patch) <= most and _facing(patch, skin) >= _ENCLOSED:
            return patch
    return None


def _contrast(rgb: RGB, skin: Mask) -> Floats:
    """Green and blue optical density, where melanin and haemoglobin absorb most, less the slope of the light."""
    density = np.asarray(cv2.transform(optical_density(rgb), _GREEN_AND_BLUE), np.float32)
    density = np.asarray(cv2.GaussianBlur(density, (0, 0), 1.5), np.float32)
    kept, sparse = skin, np.zeros_like(skin)
    sparse[::3, ::3] = True  # six coefficients need no more
    residual = density - _slope(density, kept & sparse)
    for _ in range(2):  # each round leaves out what is denser than the surface: the lesion itself
        kept = skin & (residual <= np.float32(median(residual[skin])) + residual[kept].std())
        residual = density - _slope(density, kept & sparse)
    return residual


def _slope(values: Floats, fitted: Mask) -> Floats:
    """The quadratic surface (H, W) through ``values`` at the ``fitted`` pixels, by least squares."""
    rows, columns = (np.linspace(-1, 1, length) for length in values.shape)
    r, c = (axis[places] for axis, places in zip((rows, columns), np.nonzero(fitted), strict=True))
    terms = np.stack([np.ones_like(r), r, c, r * r, c * c, r * c])
    flat, down, across, down2, across2, mixed = np.linalg.lstsq(terms @ terms.T, terms @ values[fitted], rcond=None)[0]
    by_row, by_column = flat + down * rows + down2 * rows**2, across * columns + across2 * columns**2
    surface = np.outer(mixed * rows, columns) + by_row[:, None] + by_column
    return np.asarray(surface, np.float32)


def _otsu(values: Floats) -> float:
    """Otsu's threshold of ``values`` (n,) from their histogram of 256 bins."""
    low, high = float(values.min()), float(values.max())
    codes = ((values - low) * (255.999 / (high - low))).astype(np.uint8)
    bin_, _ = cv2.threshold(codes, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return low + (bin_ + 0.5) * (high - low) / 256


def _separate(dense: Floats, rest: Floats) -> bool:
    if not len(dense) or not len(rest):
        return False
    difference = float(dense.mean() - rest.mean())
    within = float(np.sqrt((dense.var() * len(dense) + rest.var() * len(rest)) / (len(dense) + len(rest))))
    return difference >= _LEAST_CONTRAST and difference >= _LEAST_SEPARATION * within


def _patches(mask: Mask) -> Iterator[Mask]:
    """The connected parts of ``mask``, their holes filled, largest first."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, kernel)
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        filled = np.zeros(mask.shape, np.uint8)
        cv2.drawContours(filled, [contour], -1, 1, cv2.FILLED)
        yield filled.view(np.bool_)


def _facing(patch: Mask, skin: Mask) -> float:
    """The share of the patch's outer border that is skin within the photo."""
    padded = np.pad(patch, 1).astype(np.uint8)
    border = cv2.dilate(padded, np.ones((3, 3), np.uint8)).astype(np.bool_) & ~padded.astype(np.bool_)
    return np.count_nonzero(border & np.pad(skin, 1)) / np.count_nonzero(border)

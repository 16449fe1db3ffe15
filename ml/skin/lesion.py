"""Where a lesion stands out of the skin around it, and which skin lies around it.

Geometry to measure by, not a diagnosis: a patch that holds more melanin or haemoglobin than its surroundings.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from ml.skin.colour import optical_density
from ml.values import RGB, Mask

Floats = NDArray[np.float32]

_SIDE = 256  # long side on which the contour is found
_SHARE = (0.002, 0.60)  # of the skin: smaller is a speck, larger leaves no surroundings to compare with
_LEAST_CONTRAST = 0.12  # difference of optical density (natural) between lesion and surroundings
_LEAST_SEPARATION = 3.2  # the same difference in within-class standard deviations; cut Gaussian noise gives 2.65
_ENCLOSED = 0.9  # of a lesion's border must face skin: hair, shadow and background reach in from an edge
_GUARD, _RING = 0.02, 0.08  # of the photo's long side: the border left out, and the width of the ring beyond


def lesion_mask(rgb: RGB, skin: Mask) -> Mask | None:
    """The largest patch of denser pigment enclosed by ``skin`` (H, W), or None where nothing stands out.

    Otsu's threshold (1979) on the pigment contrast of skin, accepted only where the two classes lie further
    apart than noise or an even slope would put them.
    """
    height, width = skin.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    inside = np.asarray(cv2.resize(skin.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.bool_)
    found = _find(small, inside)
    if found is None:
        return None
    grown = np.asarray(cv2.resize(found.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST))
    return grown.astype(np.bool_) & skin


def surroundings(lesion: Mask, skin: Mask) -> Mask:
    """A ring of ``skin`` around ``lesion``, a little off its border, which belongs to neither."""
    side = max(lesion.shape)
    distance = cv2.distanceTransform((~lesion).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(skin & (distance > _GUARD * side) & (distance <= (_GUARD + _RING) * side), np.bool_)


def _find(rgb: RGB, skin: Mask) -> Mask | None:
    if np.count_nonzero(skin) < 1 / _SHARE[0]:
        return None
    contrast = _contrast(rgb, skin)
    values = contrast[skin]
    if float(values.max() - values.min()) < _LEAST_CONTRAST:
        return None
    dense = skin & (contrast > threshold_otsu(values))
    if not _separate(contrast[dense], contrast[skin & ~dense]):
        return None
    least, most = (share * np.count_nonzero(skin) for share in _SHARE)
    for patch in _patches(dense):
        if least <= np.count_nonzero(patch) <= most and _facing(patch, skin) >= _ENCLOSED:
            return patch
    return None


def _contrast(rgb: RGB, skin: Mask) -> Floats:
    """Green and blue optical density, where melanin and haemoglobin absorb most, less the slope of the light."""
    density = cv2.GaussianBlur(optical_density(rgb)[..., 1:].mean(axis=2), (0, 0), 1.5)
    rows, columns = np.mgrid[-1 : 1 : skin.shape[0] * 1j, -1 : 1 : skin.shape[1] * 1j]
    terms = np.stack([np.ones_like(rows), rows, columns, rows**2, columns**2, rows * columns], axis=-1)
    kept, sparse = skin, np.zeros_like(skin)
    sparse[::3, ::3] = True  # six coefficients need no more
    for _ in range(3):  # each round leaves out what is denser than the surface: the lesion itself
        fitted = kept & sparse
        weights = np.linalg.lstsq(terms[fitted], density[fitted], rcond=None)[0]
        residual = density - terms @ weights
        kept = skin & (residual <= np.median(residual[skin]) + residual[kept].std())
    return np.asarray(residual, np.float32)


def _separate(dense: Floats, rest: Floats) -> bool:
    if not len(dense) or not len(rest):
        return False
    difference = float(dense.mean() - rest.mean())
    within = float(np.sqrt((dense.var() * len(dense) + rest.var() * len(rest)) / (len(dense) + len(rest))))
    return difference >= _LEAST_CONTRAST and difference >= _LEAST_SEPARATION * within


def _patches(mask: Mask) -> Iterator[Mask]:
    """The connected parts of ``mask``, their holes filled, largest first."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        filled = np.zeros(mask.shape, np.uint8)
        cv2.drawContours(filled, [contour], -1, 1, cv2.FILLED)
        yield filled.astype(np.bool_)


def _facing(patch: Mask, skin: Mask) -> float:
    """The share of the patch's outer border that is skin within the photo."""
    padded = np.pad(patch, 1).astype(np.uint8)
    border = cv2.dilate(padded, np.ones((3, 3), np.uint8)).astype(np.bool_) & ~padded.astype(np.bool_)
    return np.count_nonzero(border & np.pad(skin, 1)) / np.count_nonzero(border)

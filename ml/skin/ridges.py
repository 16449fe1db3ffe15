"""The line filter of Frangi et al. (1998), and its counterpart for pits, on one scale of contrast for all photos.

A ridge curves strongly across and hardly along itself, which the eigenvalues of the Hessian tell. Where Frangi takes
the scale of contrast from the strongest structure of each image, it is fixed here, so that two photos compare.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SCALES = (1.5, 2.5)  # standard deviations across a line, pixels
PIT_SCALE = 1.2  # of a pit
_ANISOTROPY = 0.5  # Frangi's β
_CONTRAST = 1.0  # Frangi's c, in L*: a ridge of this curvature counts by 0.39


def line_response(detail: Floats) -> Floats:
    """0–1 (h, w): how much each pixel of L* is a dark line."""
    return np.asarray(cv2.max(*(_response(*_hessian(detail, sigma)) for sigma in SCALES)), np.float32)


def pit_response(detail: Floats) -> Floats:
    """0–1 (h, w): how much each pixel of L* is a dark pit, which curves alike in all directions."""
    lesser, greater = _hessian(detail, PIT_SCALE)
    found = (1 - _elongated(lesser, greater)) * (1 - _faint(lesser, greater))
    return np.asarray(cv2.copyTo(found, (lesser > 0).view(np.uint8)), np.float32)


def _response(lesser: Floats, greater: Floats) -> Floats:
    """Frangi's measure in two dimensions: of a dark line, the curvature that is greater in amount is positive."""
    found = _elongated(lesser, greater) * (1 - _faint(lesser, greater))
    return np.asarray(cv2.copyTo(found, (greater > np.abs(lesser)).view(np.uint8)), np.float32)


def _elongated(lesser: Floats, greater: Floats) -> Floats:
    """0–1: 1 where nothing curves along a ridge."""
    along = np.asarray(lesser / np.maximum(greater, np.float32(1e-6)), np.float32)
    return _bell(along * along, _ANISOTROPY)


def _faint(lesser: Floats, greater: Floats) -> Floats:
    """0–1: 1 where nothing curves at all."""
    return _bell(lesser * lesser + greater * greater, _CONTRAST)


def _bell(squares: Floats, sigma: float) -> Floats:
    """A Gaussian's height above the squares of what it is a function of. It is held above e⁻⁸⁰, nothing to any measure:
    OpenCV's exponential takes forty times as long where it underflows."""
    return np.asarray(cv2.exp(np.maximum(squares * np.float32(-0.5 / sigma**2), np.float32(-80))), np.float32)


def _hessian(values: Floats, sigma: float) -> tuple[Floats, Floats]:
    """Eigenvalues (lesser, greater) of the Hessian of ``values`` (h, w) smoothed by ``sigma`` pixels, times sigma², so
    that a structure as wide as sigma answers alike at every scale (Lindeberg 1998)."""
    smooth = cv2.GaussianBlur(values, (0, 0), sigma)
    xx, yy, xy = (
        cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=sigma**2 / 4) for order in ((2, 0), (0, 2), (1, 1))
    )
    middle, half = (xx + yy) / 2, (xx - yy) / 2
    reach = cv2.magnitude(half, np.asarray(xy, np.float32))
    return np.asarray(middle - reach, np.float32), np.asarray(middle + reach, np.float32)

"""Where skin is in a photo.

Skin of every tone is redder than it is green and redder than it is blue; how bright it is says nothing. So the
rule works on ratios of linear channels, u = ln(R/G) and v = ln(G/B), in which light and shade cancel and the
ten Monk tones lie within one region, and it never asks for a least red. Wood, sand, hair or a warm-lit wall
can satisfy it too: a second step drops what is far from the photo's own likeliest skin colour, and a third takes
back what that colour borders more than the photo's frame does: a pale patch on dark skin is as far from it as a wall.
Where the aims conflict, the mask keeps: reddened, pigmented and depigmented skin is what such photos are taken for.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import LUMA, extremes, shrink, srgb_to_linear
from ml.skin.declaration import Measure
from ml.skin.parts import SPECK, doubtful_holes, holes, solid, with_bordered
from ml.values import RGB, Mask

Floats = NDArray[np.float32]
Points = tuple[Floats, Floats]  # u and v of each, (n,) both
SkinMasks = tuple[Mask, Mask | None]  #: where skin is, (H, W), and where it may as well be

COVERAGE = Measure(
    name="skin_coverage",
    label="Skin in the photo",
    unit="share of the photo",
    direction="more skin",
    description="How much of the photo shows skin. All other measures are taken there.",
    method="chromaticity segmentation",
    regions=("photo",),
)
MEASURES = (COVERAGE,)

_SIDE = 256  # long side on which colour is judged: averages sensor noise away, and edges need no more

_LEAST_LUMINANCE = 0.003  # below (L* about 2.7) eight bits hold no colour
_WHITE = 253  # all channels here: blown out, no colour left
_U = (0.03, 2.4)
_V = (-1.2, 1.6)
_RED_OVER_BLUE = 0.03

# Where skin is likeliest to lie in (u, v), broad enough for all tones and indoor light: only a tie-breaker
# between several candidate colours in one photo. Brown skin reaches v = 1.3 (`ml.skin.chromophores`).
_PRIOR_CENTRE, _PRIOR_SPREAD, _PRIOR_FLOOR = np.array([0.75, 0.65]), np.array([0.45, 0.80]), 0.02

_SPREAD = (0.25, 0.50)  # least and most standard deviation that skin's colour is allowed along any axis
_REACH = 3.0  # standard deviations from the likeliest colour that still are skin
_ROUNDS = 3
_MIN_SAMPLE = 16  # points whose mean and spread are worth taking
_BINS = 48
_WIDTH = 3.0  # bins, standard deviation: a small even mark must not outdo a large area of noisy dark skin

# The middles of the bins over u and v, (bins², 2), and the prior at each.
_MIDDLES = (np.indices((_BINS, _BINS)).reshape(2, -1).T + 0.5) / _BINS * np.ptp((_U, _V), axis=1) + (_U[0], _V[0])
_PRIOR = np.exp(-(((_MIDDLES - _PRIOR_CENTRE) / _PRIOR_SPREAD) ** 2).sum(axis=1) / 2) + _PRIOR_FLOOR


def skin_mask(rgb: RGB, seed: Mask | None = None) -> Mask:
    """Skin in ``rgb`` (H, W, 3) as (H, W). All False where nothing resembles skin.

    Lesions and highlights enclosed by skin count as skin. ``seed`` (H, W) marks pixels known to be mostly skin,
    such as a found face: the likeliest colour is then taken from there.
    """
    return skin_masks(rgb, seed)[0]


def skin_masks(rgb: RGB, seed: Mask | None = None) -> SkinMasks:
    """``skin_mask``, and what it may as well be where it is a close call whether a part of the photo is skin; None
    where it is not."""
    height, width = rgb.shape[:2]
    small = shrink(rgb, _SIDE)
    where = None if seed is None else _resize(seed, (small.shape[1], small.shape[0]))
    found, other = _segment(small, where)
    return _resize(found, (width, height)), None if other is None else _resize(other, (width, height))


def coverage(mask: Mask) -> float:
    """The share of the photo that ``mask`` covers, 0–1."""
    return np.count_nonzero(mask) / mask.size


def _segment(rgb: RGB, seed: Mask | None) -> SkinMasks:
    u, v, lit = _log_chromaticity(rgb)
    candidate = lit & (u >= _U[0]) & (u <= _U[1]) & (v >= _V[0]) & (v <= _V[1]) & (u + v >= _RED_OVER_BLUE)
    if candidate.mean() < SPECK:
        return np.zeros(candidate.shape, np.bool_), None
    resembling = _resembling(u, v, candidate, seed)
    whole = solid(resembling)
    found, other = with_bordered(whole | holes(whole), candidate)
    if other is None and (doubtful := doubtful_holes(whole)) is not None:
        other = found ^ doubtful
    return found, other


def _log_chromaticity(rgb: RGB) -> tuple[Floats, Floats, Mask]:
    """u and v, smoothed against sensor noise in linear light, and where they can be told; each (H, W)."""
    linear = cv2.GaussianBlur(srgb_to_linear(rgb), (0, 0), 0.8)
    luminance = np.asarray(cv2.transform(linear, LUMA[None]), np.float32)
    lit = (luminance > _LEAST_LUMINANCE) & (extremes(rgb)[0] < _WHITE)
    logs = np.asarray(cv2.log(np.maximum(linear, np.float32(1e-4))), np.float32)
    return logs[..., 0] - logs[..., 1], logs[..., 1] - logs[..., 2], lit


def _resembling(u: Floats, v: Floats, candidate: Mask, seed: Mask | None) -> Mask:
    """The candidates near the likeliest skin colour, by Mahalanobis distance to its own spread."""
    points = u[candidate], v[candidate]
    weights = _central(candidate.shape)[candidate]
    if seed is not None and seed[candidate].any():
        weights = weights * seed[candidate]
    centre, precision = _mode(points, weights), _precision(np.eye(2) * _SPREAD[0] ** 2)
    for _ in range(_ROUNDS):
        near = (_distance(points, centre, precision) <= 1.5**2).view(np.uint8)
        if cv2.countNonZero(near) < _MIN_SAMPLE:
            break
        centre, covariance = _moments(points, near)
        precision = _precision(covariance)
    kept = np.zeros(candidate.shape, np.bool_)
    kept[candidate] = _distance(points, centre, precision) <= _REACH**2
    return kept


@lru_cache(maxsize=32)
def _central(shape: tuple[int, ...]) -> Floats:
    """Weights (H, W), 1 in the middle and 0.1 in the corners: people photograph what they mean centrally."""
    down, across = (np.exp(-1.15 * np.linspace(-1, 1, size, dtype=np.float32) ** 2) for size in shape)
    return np.asarray(np.outer(down, across), np.float32)


def _mode(points: Points, weights: Floats) -> NDArray[np.float64]:
    """The likeliest (u, v): the densest of the weighted points in a smoothed histogram, under the prior."""
    rows, columns = (
        ((values - low) * np.float32(_BINS / (high - low))).astype(np.int32).clip(0, _BINS - 1)
        for values, (low, high) in zip(points, (_U, _V), strict=True)
    )
    counts = np.bincount(rows * _BINS + columns, weights=weights, minlength=_BINS**2).reshape(_BINS, _BINS)
    likely = np.asarray(cv2.GaussianBlur(counts, (0, 0), _WIDTH, borderType=cv2.BORDER_CONSTANT)).ravel() * _PRIOR
    return np.asarray(_MIDDLES[int(likely.argmax())])


def _moments(points: Points, near: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (2,) and covariance (2, 2) of the points that are ``near`` (n,)."""
    count = cv2.countNonZero(near)
    centre = np.array([cv2.sumElems(cv2.copyTo(values, near))[0] / count for values in points])
    du, dv = (values - np.float32(mean) for values, mean in zip(points, centre, strict=True))
    # Masked sums of squares are what OpenCV has, and |u + v|² = |u|² + |v|² + 2uv.
    uu, vv, both = (cv2.norm(off, cv2.NORM_L2SQR, near) for off in (du, dv, du + dv))
    uv = (both - uu - vv) / 2
    return centre, np.array([[uu, uv], [uv, vv]]) / (count - 1)


def _distance(points: Points, centre: NDArray[np.float64], precision: NDArray[np.float64]) -> Floats:
    """Squared Mahalanobis distance of each point."""
    uu, uv, vv = (np.float32(value) for value in (precision[0, 0], 2 * precision[0, 1], precision[1, 1]))
    du, dv = points[0] - np.float32(centre[0]), points[1] - np.float32(centre[1])
    found = uu * du
    found += uv * dv
    found *= du
    dv *= dv
    dv *= vv
    found += dv
    return found


def _precision(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of ``covariance`` with the standard deviation along each axis held within bounds."""
    values, axes = np.linalg.eigh(covariance)
    held = np.clip(values, _SPREAD[0] ** 2, _SPREAD[1] ** 2)
    return np.asarray((axes / held) @ axes.T)


def _resize(mask: Mask, size: tuple[int, int]) -> Mask:
    return np.asarray(cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.bool_)

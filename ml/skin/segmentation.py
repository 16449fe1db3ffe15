"""Where skin is in a photo.

Skin of every tone is redder than it is green and redder than it is blue; how bright it is says nothing. So the
rule works on ratios of linear channels, u = ln(R/G) and v = ln(G/B), in which light and shade cancel and the
ten Monk tones lie within one region, and it never asks for a least red. Wood, sand, hair or a warm-lit wall
can satisfy it too: a second step drops what is far from the photo's own likeliest skin colour. Where the two
aims conflict, the mask keeps: reddened, pigmented and depigmented skin is what such photos are taken for.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import LUMA, srgb_to_linear
from ml.values import RGB, Mask

Floats = NDArray[np.float32]

_SIDE = 256  # long side on which colour is judged: averages sensor noise away, and edges need no more

_LEAST_LUMINANCE = 0.003  # below (L* about 2.7) eight bits hold no colour
_WHITE = 253  # all channels here: blown out, no colour left
_U = (0.03, 2.4)
_V = (-1.2, 1.6)
_RED_OVER_BLUE = 0.03

# Where skin is likeliest to lie in (u, v), broad enough for all tones and indoor light: only a tie-breaker
# between several candidate colours in one photo.
_PRIOR_CENTRE, _PRIOR_SPREAD, _PRIOR_FLOOR = np.array([0.75, 0.25]), np.array([0.45, 0.40]), 0.02

_SPREAD = (0.25, 0.50)  # least and most standard deviation that skin's colour is allowed along any axis
_REACH = 3.0  # standard deviations from the likeliest colour that still are skin
_ROUNDS = 3
_MIN_SAMPLE = 16  # points whose mean and spread are worth taking
_BINS = 48

_SPECK = 0.002  # share of the photo; smaller patches are noise
_HOLE = 0.30  # share of the photo; lesions and highlights up to this, enclosed by skin, belong to it


def skin_mask(rgb: RGB, seed: Mask | None = None) -> Mask:
    """Skin in ``rgb`` (H, W, 3) as (H, W). All False where nothing resembles skin.

    Lesions and highlights enclosed by skin count as skin. ``seed`` (H, W) marks pixels known to be mostly skin,
    such as a found face: the likeliest colour is then taken from there.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    where = None if seed is None else _resize(seed, size)
    return _resize(_segment(small, where), (width, height))


def coverage(mask: Mask) -> float:
    """The share of the photo that ``mask`` covers, 0–1."""
    return float(mask.mean())


def _segment(rgb: RGB, seed: Mask | None) -> Mask:
    chroma, lit = _log_chromaticity(rgb)
    u, v = chroma[..., 0], chroma[..., 1]
    candidate = lit & (u >= _U[0]) & (u <= _U[1]) & (v >= _V[0]) & (v <= _V[1]) & (u + v >= _RED_OVER_BLUE)
    if candidate.mean() < _SPECK:
        return np.zeros(candidate.shape, np.bool_)
    return _tidy(_resembling(chroma, candidate, seed))


def _log_chromaticity(rgb: RGB) -> tuple[Floats, Mask]:
    """(u, v) as (H, W, 2), smoothed against sensor noise in linear light, and where they can be told."""
    linear = np.asarray(cv2.GaussianBlur(srgb_to_linear(rgb), (0, 0), 0.8), np.float32)
    lit = (linear @ LUMA > _LEAST_LUMINANCE) & (rgb.min(axis=2) < _WHITE)
    logs = np.log(np.maximum(linear, np.float32(1e-4)))
    return np.asarray(logs[..., :2] - logs[..., 1:], np.float32), lit


def _resembling(chroma: Floats, candidate: Mask, seed: Mask | None) -> Mask:
    """The candidates near the likeliest skin colour, by Mahalanobis distance to its own spread."""
    points = chroma[candidate]
    weights = _central(candidate.shape)[candidate]
    if seed is not None and seed[candidate].any():
        weights = weights * seed[candidate]
    centre, precision = _mode(points, weights), _precision(np.eye(2) * _SPREAD[0] ** 2)
    for _ in range(_ROUNDS):
        near = _distance(points, centre, precision) <= 1.5**2
        if np.count_nonzero(near) < _MIN_SAMPLE:
            break
        centre, precision = points[near].mean(axis=0), _precision(np.cov(points[near].T))
    kept = np.zeros(candidate.shape, np.bool_)
    kept[candidate] = _distance(points, centre, precision) <= _REACH**2
    return kept


def _central(shape: tuple[int, ...]) -> Floats:
    """Weights (H, W), 1 in the middle and 0.1 in the corners: people photograph what they mean centrally."""
    rows, columns = (np.linspace(-1, 1, size, dtype=np.float32) ** 2 for size in shape)
    return np.asarray(np.exp(-1.15 * (rows[:, None] + columns[None, :])), np.float32)


def _mode(points: Floats, weights: Floats) -> NDArray[np.float64]:
    """The likeliest (u, v): the densest of the weighted points in a smoothed histogram, under the prior."""
    low, high = np.array([_U, _V]).T
    cells = ((points - low) / (high - low) * _BINS).astype(np.intp).clip(0, _BINS - 1)
    counts = np.bincount(cells @ (_BINS, 1), weights=weights, minlength=_BINS**2).reshape(_BINS, _BINS)
    middles = (np.indices((_BINS, _BINS)).reshape(2, -1).T + 0.5) / _BINS * (high - low) + low
    prior = np.exp(-(((middles - _PRIOR_CENTRE) / _PRIOR_SPREAD) ** 2).sum(axis=1) / 2) + _PRIOR_FLOOR
    likely = np.asarray(cv2.GaussianBlur(counts, (0, 0), 1.5)).ravel() * prior
    return np.asarray(middles[int(likely.argmax())])


def _distance(points: Floats, centre: NDArray[np.float64], precision: NDArray[np.float64]) -> Floats:
    """Squared Mahalanobis distance of each point (n, 2)."""
    u, v = (points - centre.astype(np.float32)).T
    return np.asarray(precision[0, 0] * u * u + 2 * precision[0, 1] * u * v + precision[1, 1] * v * v)


def _precision(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of ``covariance`` with the standard deviation along each axis held within bounds."""
    values, axes = np.linalg.eigh(covariance)
    held = np.clip(values, _SPREAD[0] ** 2, _SPREAD[1] ** 2)
    return np.asarray((axes / held) @ axes.T)


def _tidy(mask: Mask) -> Mask:
    """Without specks, and with the holes filled that skin encloses."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    closed = np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel), np.bool_)
    solid = _parts(closed, 8, least=_SPECK)
    return solid | _parts(~solid, 4, most=_HOLE, enclosed=True)


def _parts(mask: Mask, connectivity: int, least: float = 0, most: float = 1, enclosed: bool = False) -> Mask:
    """The connected parts of ``mask`` of a size between two shares of the photo; ``enclosed``: away from its edge."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=connectivity)
    shares = stats[:, cv2.CC_STAT_AREA] / mask.size
    kept = (shares >= least) & (shares <= most)
    if enclosed:
        height, width = mask.shape
        left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
        right, bottom = left + stats[:, cv2.CC_STAT_WIDTH], top + stats[:, cv2.CC_STAT_HEIGHT]
        kept &= (left > 0) & (top > 0) & (right < width) & (bottom < height)
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)


def _resize(mask: Mask, size: tuple[int, int]) -> Mask:
    return np.asarray(cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.bool_)

"""Computes how far each pixel of skin stands out from the bare skin of the photo, in any direction and on any tone.

Bare skin is modelled for each photo: a smooth surface is fitted to its optical densities, with a covariance about it,
by iteratively trimmed least squares. The surface describes light and shade too. A pixel many standard deviations away
is not bare skin, whether it is darker, paler, redder, scaling or crusted. Hairs (long, thin, dark lines) are first
filled with the mean of the pixels beside them, as in DullRazor (Lee et al., Comput. Biol. Med. 27, 1997).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ml.skin.colour import code_step, optical_density
from ml.skin.regions import near_frame
from ml.values import RGB, Floats, Mask

_AXES = np.array([[-1, 1, 0], [0, -1, 1], [1 / 3, 1 / 3, 1 / 3]], np.float32)  # log R/G, log G/B, mean density
_SUM = np.ones((1, 3), np.float32)
_SAMPLE = 2500  # about the number of pixels, on a grid, to which the surface is fitted
_TRIM = 2.8  # standard deviations within which a pixel counts as bare skin
_ROUNDS = 6
_LEAST_BARE = 0.1  # share of the skin; the trimming stops before less is left
_MIN_SAMPLE = 50

_WINDOW = (9, 9)  # points of the grid: a sixth of a photo's side, and several times the size of a spot
_DRIFT_TRIM = 3.0  # standard deviations from its neighbourhood within which a point is bare skin
_MOST_DRIFT = 1.5  # largest drift of bare skin, in standard deviations; a broad lesion differs by more
_DRIFT_ROUNDS = 3
_FEW = 0.05  # added to the share of bare points in the window, so that few points give little drift

_HAIR_STEPS = 45  # codes for a unit of optical density in the 8-bit map that is searched for hairs
_CODES = np.arange(256, dtype=np.uint8)[:, None]
_HAIR_DENSITY = np.clip(np.rint(_HAIR_STEPS * optical_density(_CODES)), 0, 255).astype(np.uint8)
_MEAN = np.full((1, 3), 1 / 3, np.float32)
_HAIR_CONTRAST, _HAIR_LENGTH, _HAIR_SLIMNESS = 0.1, 14, 6.0  # density, pixels, area over length
_NARROW = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_BESIDE = (11, 11)  # pixels; the mean of the skin in this window replaces a hair
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class BareSkin:
    """Assumptions about bare skin.

    ``density``, ``codes``: its least standard deviation, in optical density and in steps of one 8-bit code. Without
    them, rounding would stand out: on the darkest skin, one code is a twentieth of the light. ``mottled``: whether its
    colour may drift across the photo.
    """

    density: float
    codes: float
    mottled: bool


def conspicuity(rgb: RGB, skin: Mask, bare_skin: BareSkin) -> Floats | None:
    """The smoothed Mahalanobis distance (H, W) of ``rgb`` (H, W, 3) from bare skin, in standard deviations.

    ``rgb`` should have a long side of 256 to 384 px. None if ``skin`` (H, W) is too small to fit a model.
    """
    density = cv2.GaussianBlur(optical_density(without_hairs(rgb)), (0, 0), 0.8)
    step = max(1, round((skin.size / _SAMPLE) ** 0.5))
    sampled = np.nonzero(skin[::step, ::step])
    if len(sampled[0]) < _MIN_SAMPLE:
        return None
    x, y = (np.linspace(-1, 1, length, dtype=np.float32) for length in skin.shape[::-1])
    values, terms = density[::step, ::step][sampled] @ _AXES.T, _terms(x[::step][sampled[1]], y[::step][sampled[0]])
    bare = _first_guess(values, near_frame(skin.shape)[::step, ::step][sampled], bare_skin.density)
    least = _least_covariance(np.median(values.compress(bare, axis=0), axis=0), bare_skin)
    surface, whitening = _fit(values, terms, bare, least)
    off = np.asarray(cv2.transform(density, whitening @ _AXES), np.float32)
    off -= _over_photo(surface @ whitening.T, x, y)
    if bare_skin.mottled:
        off = _without_mottling(off, skin, step, np.asarray(whitening @ least @ whitening.T, np.float32))
    off *= off
    return np.asarray(cv2.GaussianBlur(cv2.sqrt(cv2.transform(off, _SUM)), (0, 0), 1.5), np.float32)


def _without_mottling(off: Floats, skin: Mask, step: int, least: Floats) -> Floats:
    """``off`` (H, W, 3) less the drift of bare skin, scaled so that bare skin has unit covariance again."""
    grid = off[::step, ::step].copy()
    drift, steady = mottling(grid, skin[::step, ::step])
    off -= cv2.resize(drift, off.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.transform(off, _whitening((grid - drift)[steady], least)), np.float32)


def _terms(x: Floats, y: Floats) -> Floats:
    """The terms (n, 6) of a quadratic surface at n points: 1, x, y, x², xy, y²."""
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


def _over_photo(surface: Floats, x: Floats, y: Floats) -> Floats:
    """The values (H, W, 3) of ``surface`` (6, 3) at the columns ``x`` (W,) and rows ``y`` (H,)."""
    flat, across, down, across2, mixed, down2 = surface[:, None]
    x = x[:, None]
    of_columns = np.stack([flat + x * across + x * x * across2, down + x * mixed, np.broadcast_to(down2, (len(x), 3))])
    by_row = np.stack([np.ones_like(y), y, y * y], axis=1)
    return np.asarray(by_row @ of_columns.reshape(3, -1), np.float32).reshape(len(y), len(x), 3)


def _first_guess(values: Floats, outer: Mask, least: float) -> Mask:
    """Which of ``values`` (n, 3) lie within two robust standard deviations of the median of the ``outer`` pixels, or of
    all pixels if the outer ones are too few."""
    start = values[outer] if np.count_nonzero(outer) >= _MIN_SAMPLE else values
    middle = np.median(start, axis=0)
    spread = 1.4826 * np.median(np.abs(start - middle), axis=0) + least
    return np.asarray((np.abs(values - middle) < 2 * spread).all(axis=1), np.bool_)


def _fit(values: Floats, terms: Floats, bare: Mask, least: Floats) -> tuple[Floats, Floats]:
    """The coefficients (6, 3) of the surface through bare skin, and the matrix (3, 3) that whitens its residuals.
    ``bare`` (n,) is the first guess of which ``values`` (n, 3) are bare skin."""
    for _ in range(_ROUNDS):
        surface = _least_squares(terms.compress(bare, axis=0), values.compress(bare, axis=0))
        residuals = values - terms @ surface
        whitening = _whitening(residuals.compress(bare, axis=0), least)
        within = np.square(residuals @ whitening.T) @ np.ones(3, np.float32) < _TRIM**2
        if np.array_equal(within, bare) or np.count_nonzero(within) < max(_MIN_SAMPLE, _LEAST_BARE * len(values)):
            break
        bare = within
    return surface, whitening


def _whitening(residuals: Floats, least: Floats) -> Floats:
    """The matrix (3, 3) that whitens ``residuals`` (n, 3): the length of a whitened vector is its Mahalanobis distance.
    ``least`` (3, 3) is added to the covariance."""
    covariance = residuals.T @ residuals / len(residuals) + least
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance)).T, np.float32)


def _least_covariance(bare: Floats, bare_skin: BareSkin) -> Floats:
    """The least covariance (3, 3) of bare skin whose typical position on the axes is ``bare`` (3,)."""
    steps = bare_skin.codes * code_step(np.linalg.solve(_AXES, bare).astype(np.float64))
    return np.asarray(bare_skin.density**2 * np.eye(3) + (_AXES * steps**2) @ _AXES.T, np.float32)


def _least_squares(terms: Floats, values: Floats) -> Floats:
    """The coefficients (6, 3) of a plane for each ratio of channels, because the light's colour changes slowly, and of
    a quadratic surface for the mean density, which shading and vignetting change."""
    coefficients = np.zeros((6, 3), np.float32)
    products, sides = (np.asarray(terms.T @ other, np.float64) for other in (terms, values))
    products[np.diag_indices(6)] += 1e-6 * len(terms)  # regularisation, for skin that lies on one line
    coefficients[:3, :2] = np.linalg.solve(products[:3, :3], sides[:3, :2])
    coefficients[:, 2] = np.linalg.solve(products, sides[:, 2])
    return coefficients


def mottling(off: Floats, skin: Mask) -> tuple[Floats, Mask]:
    """The drift of bare skin across the photo: blotches too broad for spots and too irregular for the smooth surface.

    ``off`` (h, w, 3) is the whitened difference of ``skin`` (h, w) from the surface, sampled on a grid. Returns its
    local mean (h, w, 3), without points that differ from their neighbourhood, and which points (h, w) agree with it.
    """
    drift = np.zeros_like(off)
    for _ in range(_DRIFT_ROUNDS):
        rest = off - drift
        bare = skin & ((rest * rest).sum(axis=2) < _DRIFT_TRIM**2)
        weight = bare.astype(np.float32)
        drift = cv2.blur(off * weight[..., None], _WINDOW) / (cv2.blur(weight, _WINDOW) + _FEW)[..., None]
        length = np.sqrt((drift * drift).sum(axis=2, keepdims=True))
        drift *= np.minimum(1, _MOST_DRIFT / np.maximum(length, _MOST_DRIFT))
    return drift, bare


def without_hairs(rgb: RGB) -> RGB:
    """``rgb`` (H, W, 3; a long side of 256 to 384 px) with its hairs filled in."""
    hair = _hairs(rgb)
    if hair is None:
        return rgb
    bare = (~hair).view(np.uint8)
    beside = cv2.boxFilter(cv2.bitwise_and(rgb, rgb, mask=bare), cv2.CV_32F, _BESIDE, normalize=False)
    pixels = cv2.boxFilter(bare, cv2.CV_32F, _BESIDE, normalize=False)
    at = np.flatnonzero(hair)
    shares = np.maximum(pixels.take(at), 1)[:, None]
    filled = rgb.copy()
    filled.reshape(-1, 3)[at] = np.rint(beside.reshape(-1, 3).take(at, axis=0) / shares)
    return filled


def _hairs(rgb: RGB) -> Mask | None:
    """The mask (H, W) of hairs: dark lines that a small opening removes, if long and thin. None without any."""
    density = cv2.transform(cv2.LUT(rgb, _HAIR_DENSITY), _MEAN)
    lines = cv2.subtract(density, cv2.morphologyEx(density, cv2.MORPH_OPEN, _NARROW)) > _HAIR_STEPS * _HAIR_CONTRAST
    # The default algorithm takes three times as long.
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        lines.view(np.uint8), 8, cv2.CV_16U, cv2.CCL_SPAGHETTI
    )
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    long = (length >= _HAIR_LENGTH) & (stats[:, cv2.CC_STAT_AREA] <= _HAIR_SLIMNESS * length)
    long[0] = False  # the background
    if not long.any():
        return None
    return np.asarray(cv2.dilate(long.take(np.asarray(labels)).view(np.uint8), _SQUARE), np.bool_)

"""How far each pixel of skin stands out from the bare skin around it, whatever the tone and whichever way it differs.

Bare skin is modelled in each photo by itself: a smooth surface through its optical densities, and their covariance
about it, fitted in turns to the pixels that agree with it (iteratively trimmed least squares). What lies many standard
deviations off is not bare skin: darker or paler, redder, scaling or crusted alike. The surface takes in light and
shade. Hairs, long thin dark lines, are filled with the mean of what lies beside them first: the idea is DullRazor's
(Lee et al., Comput. Biol. Med. 27, 1997).
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
_SAMPLE = 2500  # pixels, about, that the surface is fitted to, on a grid: neighbours are alike
_TRIM = 2.8  # standard deviations within which a pixel counts as bare skin
_ROUNDS = 6
_LEAST_BARE = 0.1  # of the skin: the trimming stops before less than this is left
_MIN_SAMPLE = 50

_WINDOW = (9, 9)  # points of the sample's grid: a sixth of a photo's side, and several times a spot's
_DRIFT_TRIM = 3.0  # standard deviations from its neighbourhood within which a point is bare skin
_MOST_DRIFT = 1.5  # standard deviations that bare skin may drift by: a broad lesion differs by more
_DRIFT_ROUNDS = 3
_FEW = 0.05  # of the window: with fewer bare points than this, the mean is drawn to no drift

_HAIR_STEPS = 45  # codes for a unit of optical density, in the map that is searched for hairs: a byte holds 5.7
_CODES = np.arange(256, dtype=np.uint8)[:, None]
_HAIR_DENSITY = np.clip(np.rint(_HAIR_STEPS * optical_density(_CODES)), 0, 255).astype(np.uint8)
_MEAN = np.full((1, 3), 1 / 3, np.float32)
_HAIR_CONTRAST, _HAIR_LENGTH, _HAIR_SLIMNESS = 0.1, 14, 6.0  # density, pixels, area over length
_NARROW = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_BESIDE = (11, 11)  # pixels around a hair whose mean replaces it
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class BareSkin:
    """What bare skin is assumed to be. ``density`` and ``codes``: its least standard deviation, in optical density and
    in steps of its own codes: otherwise every code of a flat drawing would stand out, and on the darkest skin a code
    is a twentieth of the light. ``mottled``: whether it may drift across the photo."""

    density: float
    codes: float
    mottled: bool


def conspicuity(rgb: RGB, skin: Mask, bare_skin: BareSkin) -> Floats | None:
    """Mahalanobis distance (H, W) of each pixel of ``rgb`` (H, W, 3; about 256 px) from bare skin, smoothed.

    None if ``skin`` (H, W) is too small to find what is bare.
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
    """``off`` (H, W, 3) less the drift of bare skin, with unit covariance about that again."""
    grid = off[::step, ::step].copy()
    drift, steady = mottling(grid, skin[::step, ::step])
    off -= cv2.resize(drift, off.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.transform(off, _whitening((grid - drift)[steady], least)), np.float32)


def _terms(x: Floats, y: Floats) -> Floats:
    """The terms of a quadratic surface at points (n,), (n, 6): 1, x, y, x², xy, y²."""
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


def _over_photo(surface: Floats, x: Floats, y: Floats) -> Floats:
    """``surface`` (6, 3) over columns ``x`` (W,) and rows ``y`` (H,): (H, W, 3)."""
    flat, across, down, across2, mixed, down2 = surface[:, None]
    x = x[:, None]
    of_columns = np.stack([flat + x * across + x * x * across2, down + x * mixed, np.broadcast_to(down2, (len(x), 3))])
    by_row = np.stack([np.ones_like(y), y, y * y], axis=1)
    return np.asarray(by_row @ of_columns.reshape(3, -1), np.float32).reshape(len(y), len(x), 3)


def _first_guess(values: Floats, outer: Mask, least: float) -> Mask:
    """The pixels within two robust deviations of the median of the ``outer`` ones, or of all if those are too few."""
    start = values[outer] if np.count_nonzero(outer) >= _MIN_SAMPLE else values
    middle = np.median(start, axis=0)
    spread = 1.4826 * np.median(np.abs(start - middle), axis=0) + least
    return np.asarray((np.abs(values - middle) < 2 * spread).all(axis=1), np.bool_)


def _fit(values: Floats, terms: Floats, bare: Mask, least: Floats) -> tuple[Floats, Floats]:
    """The coefficients (6, 3) of the surface through the ``bare`` of ``values`` (n, 3), and the matrix (3, 3) that
    whitens what is left."""
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
    """The matrix (3, 3) that whitens ``residuals`` (n, 3), so that a Mahalanobis distance is a length; ``least`` (3, 3)
    is added to their covariance."""
    covariance = residuals.T @ residuals / len(residuals) + least
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance)).T, np.float32)


def _least_covariance(bare: Floats, bare_skin: BareSkin) -> Floats:
    """The least covariance (3, 3) on the axes, if bare skin lies at ``bare`` (3,) on them."""
    steps = bare_skin.codes * code_step(np.linalg.solve(_AXES, bare).astype(np.float64))
    return np.asarray(bare_skin.density**2 * np.eye(3) + (_AXES * steps**2) @ _AXES.T, np.float32)


def _least_squares(terms: Floats, values: Floats) -> Floats:
    """Coefficients (6, 3): of a plane for the ratios of channels, as the light's colour changes slowly over skin, and
    of a quadratic surface for the mean density, with its shading and vignette."""
    coefficients = np.zeros((6, 3), np.float32)
    products, sides = (np.asarray(terms.T @ other, np.float64) for other in (terms, values))
    products[np.diag_indices(6)] += 1e-6 * len(terms)  # directions that skin on a single line leaves open are flat
    coefficients[:3, :2] = np.linalg.solve(products[:3, :3], sides[:3, :2])
    coefficients[:, 2] = np.linalg.solve(products, sides[:, 2])
    return coefficients


def mottling(off: Floats, skin: Mask) -> tuple[Floats, Mask]:
    """How bare skin drifts across the photo, in blotches too broad for spots and too irregular for a smooth surface.

    ``off`` (h, w, 3), of unit variance, samples on a grid how far ``skin`` (h, w) is off the surface. Returns its local
    mean (h, w, 3), without the points that differ from their neighbourhood, and which points (h, w) agree with it.
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
    """``rgb`` (H, W, 3; about 256 to 384 px) with its hairs filled in."""
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
    """The hairs (H, W): dark lines that a small opening takes away, if they are long and thin. None without any."""
    density = cv2.transform(cv2.LUT(rgb, _HAIR_DENSITY), _MEAN)
    lines = cv2.subtract(density, cv2.morphologyEx(density, cv2.MORPH_OPEN, _NARROW)) > _HAIR_STEPS * _HAIR_CONTRAST
    # The default algorithm counts pixels three times as slowly.
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        lines.view(np.uint8), 8, cv2.CV_16U, cv2.CCL_SPAGHETTI
    )
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    long = (length >= _HAIR_LENGTH) & (stats[:, cv2.CC_STAT_AREA] <= _HAIR_SLIMNESS * length)
    long[0] = False  # the background
    if not long.any():
        return None
    return np.asarray(cv2.dilate(long.take(np.asarray(labels)).view(np.uint8), _SQUARE), np.bool_)

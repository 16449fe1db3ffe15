"""How far each pixel of skin stands out from the bare skin around it, whatever the tone and whichever way it differs.

Bare skin is modelled in each photo by itself: a smooth surface through its optical densities, and their covariance
about it, fitted in turns to the pixels that agree with it (iteratively trimmed least squares). What lies many standard
deviations off is not bare skin: darker or paler, redder, scaling or crusted alike. Light and shade go into the surface,
hairs are taken out first.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import code_step, optical_density
from ml.skin.hairs import without_hairs
from ml.skin.mottling import mottling
from ml.skin.ranks import medians
from ml.values import RGB, Mask

Floats = NDArray[np.float32]

_AXES = np.array([[-1, 1, 0], [0, -1, 1], [1 / 3, 1 / 3, 1 / 3]], np.float32)  # log R/G, log G/B, mean density
_SUM = np.ones((1, 3), np.float32)
_SAMPLE = 2500  # pixels, about, that the surface is fitted to: on a grid, as neighbours tell the same
_TRIM = 2.8  # standard deviations within which a pixel counts as bare skin
_ROUNDS = 6
_LEAST_BARE = 0.1  # of the skin: the trimming stops before less than this is left
_FRAME = 6  # the outer sixth of a photo, where people leave bare skin, is what the fit begins with
_MIN_SAMPLE = 50


@dataclass(frozen=True)
class BareSkin:
    """What bare skin is taken for. ``density`` and ``codes``: its standard deviation at the least, in optical density
    and in steps of its own codes. A flat drawing's every code would stand out else, and on the darkest skin a code is
    a twentieth of the light. ``mottled``: whether it may drift on the way across the photo."""

    density: float
    codes: float
    mottled: bool


def conspicuity(rgb: RGB, skin: Mask, bare_skin: BareSkin) -> Floats | None:
    """Mahalanobis distance (H, W) of each pixel of ``rgb`` (H, W, 3; 256 px or so) from bare skin, smoothed.

    None where ``skin`` (H, W) is too small to tell what is bare.
    """
    density = cv2.GaussianBlur(optical_density(without_hairs(rgb)), (0, 0), 0.8)
    step = max(1, round((skin.size / _SAMPLE) ** 0.5))
    sampled = np.nonzero(skin[::step, ::step])
    if len(sampled[0]) < _MIN_SAMPLE:
        return None
    x, y = (np.linspace(-1, 1, length, dtype=np.float32) for length in skin.shape[::-1])
    values, terms = density[::step, ::step][sampled] @ _AXES.T, _terms(x[::step][sampled[1]], y[::step][sampled[0]])
    bare = _first_guess(values, _near_frame(skin.shape)[::step, ::step][sampled], bare_skin.density)
    least = _least_covariance(medians(values.compress(bare, axis=0)), bare_skin)
    surface, whitening = _fit(values, terms, bare, least)
    off = np.asarray(cv2.transform(density, whitening @ _AXES), np.float32)
    off -= _over_photo(surface @ whitening.T, x, y)
    if bare_skin.mottled:
        off = _without_mottling(off, skin, step, np.asarray(whitening @ least @ whitening.T, np.float32))
    off *= off
    return np.asarray(cv2.GaussianBlur(cv2.sqrt(cv2.transform(off, _SUM)), (0, 0), 1.5), np.float32)


def _without_mottling(off: Floats, skin: Mask, step: int, least: Floats) -> Floats:
    """``off`` (H, W, 3) from where bare skin drifts to, its covariance about that the unit again."""
    grid = off[::step, ::step].copy()
    drift, steady = mottling(grid, skin[::step, ::step])
    off -= cv2.resize(drift, off.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.transform(off, _whitening((grid - drift)[steady], least)), np.float32)


def _terms(x: Floats, y: Floats) -> Floats:
    """The terms of a quadratic surface at points (n,), (n, 6): 1, x, y, x², xy, y²."""
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


def _over_photo(surface: Floats, x: Floats, y: Floats) -> Floats:
    """The surfaces of ``surface`` (6, 3) over columns ``x`` (W,) and rows ``y`` (H,): (H, W, 3)."""
    flat, across, down, across2, mixed, down2 = surface[:, None]
    x = x[:, None]
    of_columns = np.stack([flat + x * across + x * x * across2, down + x * mixed, np.broadcast_to(down2, (len(x), 3))])
    by_row = np.stack([np.ones_like(y), y, y * y], axis=1)
    return np.asarray(by_row @ of_columns.reshape(3, -1), np.float32).reshape(len(y), len(x), 3)


def _near_frame(shape: tuple[int, ...]) -> Mask:
    near = np.ones(shape, np.bool_)
    height, width = shape
    near[height // _FRAME : height - height // _FRAME, width // _FRAME : width - width // _FRAME] = False
    return near


def _first_guess(values: Floats, near_frame: Mask, least: float) -> Mask:
    """The pixels within two robust deviations of the median near the frame, or of all where no skin reaches it."""
    start = values[near_frame] if np.count_nonzero(near_frame) >= _MIN_SAMPLE else values
    middle = medians(start)
    spread = 1.4826 * medians(np.abs(start - middle)) + least
    return np.asarray((np.abs(values - middle) < 2 * spread).all(axis=1), np.bool_)


def _fit(values: Floats, terms: Floats, bare: Mask, least: Floats) -> tuple[Floats, Floats]:
    """The surface's coefficients (6, 3) through the ``bare`` of ``values`` (n, 3), and what whitens them about it."""
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
    """The matrix (3, 3) that makes the covariance of ``residuals`` (n, 3) the unit, and so a Mahalanobis distance a
    length; to the covariance is added ``least`` (3, 3)."""
    covariance = residuals.T @ residuals / len(residuals) + least
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance)).T, np.float32)


def _least_covariance(bare: Floats, bare_skin: BareSkin) -> Floats:
    """Of the axes (3, 3), where bare skin lies at ``bare`` (3,) on them."""
    steps = bare_skin.codes * code_step(np.linalg.solve(_AXES, bare).astype(np.float64))
    return np.asarray(bare_skin.density**2 * np.eye(3) + (_AXES * steps**2) @ _AXES.T, np.float32)


def _least_squares(terms: Floats, values: Floats) -> Floats:
    """Coefficients (6, 3). Ratios of channels are fitted a plane, as the light's colour changes slowly over skin; the
    mean density, with its shading and vignette, a quadratic."""
    coefficients = np.zeros((6, 3), np.float32)
    products, sides = (np.asarray(terms.T @ other, np.float64) for other in (terms, values))
    products[np.diag_indices(6)] += 1e-6 * len(terms)  # what skin on a single line leaves open is flat
    coefficients[:3, :2] = np.linalg.solve(products[:3, :3], sides[:3, :2])
    coefficients[:, 2] = np.linalg.solve(products, sides[:, 2])
    return coefficients

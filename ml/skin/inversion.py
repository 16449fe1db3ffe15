"""The pigments that are likeliest for a colour of skin: the model of `ml.skin.chromophores` inverted, as a table.

Three channels, and four unknowns: melanin, blood, the light, which darkens all channels alike, and the white that
skin's surface, thin scale or flare adds to them. How much a channel tells of a pigment depends on how dark skin is: on
dark skin blue tells of the white alone, and the ratios of channels turn back, so that light skin full of blood and dark
skin share them. So each colour gets the pigments that are likeliest for it (maximum a posteriori: Tarantola 2005,
section 3.2), with light and white free within bounds, and channels weighed by how finely 8 bits hold them there.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.chromophores import LOG_BLOOD, LOG_MELANIN, density_table
from ml.skin.colour import code_step

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AVERAGED = 2  #: pixels to a side that one value is the mean of
NEAR = 1.5  #: values, one standard deviation, over which dark skin is averaged
#: of green: averaging begins at the one density and is whole from the other; codes lie .012 and .02 apart there
_AVERAGED_FROM, _AVERAGED_TO = 0.7, 1.9

_SHADING = 0.05  # in optical density: one standard deviation of the light in a photo
_WHITE = 0.001  # in linear light: one standard deviation of what the surface adds
_MISFIT = 0.004  # of the model, in optical density
_MEAN, _SPREAD = np.log([0.03, 0.006]), np.array([3.0, 1.0])  # of ln melanin and ln blood, before anything is seen
_STEP = np.array([LOG_MELANIN[1] - LOG_MELANIN[0], LOG_BLOOD[1] - LOG_BLOOD[0]])
_POWERS = np.array([1.0, 0.5], np.float32)  # of the fractions, in the table: nearly linear in density
_PLACES = np.float32(32)  # of a cell, at which the table is read: some of OpenCV's ways to read one tell no more apart

# The table's axes: density of red, and what green has more than red, blue more than green.
_RED, _GREEN_RED, _BLUE_GREEN = np.linspace(0, 4.6, 47), np.linspace(-0.1, 1.9, 33), np.linspace(-0.1, 1.7, 31)
_AXES = (_RED, _GREEN_RED, _BLUE_GREEN)
_TO_AXES = np.array([(1, 0, 0), (-1, 1, 0), (0, -1, 1)]) / np.array([[a[1] - a[0]] for a in _AXES])
_ORIGIN = np.array([-a[0] / (a[1] - a[0]) for a in _AXES])


def prepare() -> None:
    """Compute the table now, so that no photo waits for it."""
    _atlas()


def likeliest_pigments(density: Floats, exposure: float) -> Floats:
    """ln of the fractions of melanin and blood (H, W, 2) of densities (H, W, 3), less what the light adds to them."""
    offset = _ORIGIN - _TO_AXES.sum(axis=1) * exposure
    position = np.asarray(cv2.transform(density, np.column_stack([_TO_AXES, offset]).astype(np.float32)), np.float32)
    return _read(position)


def averaged_share(density: Floats | Doubles) -> Floats:
    """How far a density (…, 3) is its neighbours' mean, 0–1, (…)."""
    share = (density[..., 1] - _AVERAGED_FROM) / (_AVERAGED_TO - _AVERAGED_FROM)
    return np.asarray(np.clip(share, 0, 1), np.float32)


def noise_of(density: Doubles, misfit: float, kept: Doubles | float = 1.0) -> Doubles:
    """Variance of optical densities: of 8-bit codes, of which averaging kept a share, and of what the model misses."""
    return np.asarray(kept * code_step(density) ** 2 / 12 + misfit**2)


def weights_of(noise: Doubles, light: float, white: Doubles | None = None) -> Doubles:
    """Inverse covariance (…, 3, 3) of densities with the variances ``noise`` (…, 3), where the light varies by
    ``light``, and white that would change them by ``white`` (…, 3) is added or missing."""
    covariance = noise[..., None] * np.eye(3) + light**2
    if white is not None:
        covariance = covariance + white[..., :, None] * white[..., None, :]
    return np.asarray(np.linalg.inv(covariance))


def likeliest(density: Doubles, weights: Doubles, stride: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns in the model's table of the pigments that are likeliest for densities (N, 3)."""
    # (d - t)ᵀ W (d - t), less what depends on d alone, as one product of matrices
    linear = -2 * np.einsum("nij,nj->ni", weights, density)
    terms = _cost_terms(stride)
    cost = np.concatenate([linear, weights.reshape(-1, 9), np.ones((len(density), 1))], axis=1) @ terms
    row, column = np.unravel_index(cost.argmin(axis=1), _pigments()[::stride, ::stride].shape[:2])
    return row * stride, column * stride


@cache
def _cost_terms(stride: int) -> Doubles:
    """What each of the model's colours t adds to a cost: (13, …), its t, its t tᵀ and what its pigments are worth."""
    table = density_table()[::stride, ::stride].reshape(-1, 3).astype(np.float64)
    squares = np.einsum("ti,tj->tij", table, table).reshape(-1, 9)
    prior = (((_pigments()[::stride, ::stride] - _MEAN) / _SPREAD) ** 2).sum(axis=-1).ravel()
    return np.concatenate([table, squares, prior[:, None]], axis=1).T.copy()


def _read(position: Floats) -> Floats:
    """ln of the table's fractions (H, W, 2) at positions (H, W, 3) in its cells, linear between them."""
    rows = np.float32(len(_GREEN_RED))
    red, green, blue = cv2.split(position)
    red = np.clip(red, 0, np.float32(len(_RED) - 1.001))
    slab = np.floor(red)
    row = slab * rows + np.clip(green, 0, rows - 1)
    column, row = (np.rint(axis * _PLACES) / _PLACES for axis in (blue, row))
    read = cv2.split(cv2.remap(_atlas(), column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    along = red - slab
    between = (near + (far - near) * along for near, far in zip(read[:2], read[2:], strict=True))
    logarithms = [cv2.log(value) / power for value, power in zip(between, _POWERS, strict=True)]
    return np.asarray(cv2.merge(logarithms), np.float32)


@cache
def _pigments() -> Doubles:
    """ln melanin and ln blood at each of the model's colours."""
    return np.stack(np.meshgrid(LOG_MELANIN, LOG_BLOOD), axis=-1)


@cache
def _atlas() -> Floats:
    """The table: slabs of one density of red below each other, in each green − red down and blue − green across. Each
    place holds its own two values and those of the next slab, for one look-up costs less than two."""
    slabs = np.exp([_slab(red) * _POWERS for red in _RED]).astype(np.float32)
    return np.concatenate([slabs[:-1], slabs[1:]], axis=-1).reshape(-1, len(_BLUE_GREEN), 4)


def _slab(red: float) -> Doubles:
    green = red + _GREEN_RED[:, None] + 0 * _BLUE_GREEN
    density = np.stack([np.full_like(green, red), green, green + _BLUE_GREEN], axis=-1)
    share = averaged_share(density)[..., None]
    kept = ((1 - share) ** 2 + share**2 / (4 * np.pi * NEAR**2)) / AVERAGED**2  # of the rounding's variance
    weights = weights_of(noise_of(density, _MISFIT, kept), _SHADING, _WHITE * np.exp(density))
    row, column = likeliest(density.reshape(-1, 3), weights.reshape(-1, 3, 3), 4)
    start = _pigments()[row, column].reshape(*green.shape, 2)
    return _refine(density, start, weights)


@cache
def _model() -> tuple[Floats, Floats, Floats]:
    """Density of the model, and its slopes in ln melanin and ln blood."""
    table = density_table()
    slopes = (np.gradient(table, axis=axis) / step for axis, step in ((1, _STEP[0]), (0, _STEP[1])))
    melanin, blood = (np.asarray(slope, np.float32) for slope in slopes)
    return table, melanin, blood


def _refine(density: Doubles, at: Doubles, weights: Doubles) -> Doubles:
    """Gauss–Newton's steps from ``at`` (…, 2) to the likeliest pigments of ``density`` (…, 3)."""
    prior = np.diag(_SPREAD**-2.0)
    low, high = np.array([LOG_MELANIN[0], LOG_BLOOD[0]]), np.array([LOG_MELANIN[-1], LOG_BLOOD[-1]])
    for _ in range(5):
        x, y = np.moveaxis(((at - low) / _STEP).astype(np.float32), -1, 0)
        value, *slopes = (cv2.remap(t, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for t in _model())
        jacobian = np.stack(slopes, axis=-2)
        gathered = jacobian @ weights
        right = (gathered @ (density - value)[..., None])[..., 0] - (at - _MEAN) @ prior
        step = np.linalg.solve(gathered @ jacobian.swapaxes(-1, -2) + prior, right[..., None])[..., 0]
        at = np.clip(at + np.clip(step, -4 * _STEP, 4 * _STEP), low, high)
    return at

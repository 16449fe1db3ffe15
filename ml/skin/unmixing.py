"""Melanin and blood of each pixel: the model of `ml.skin.chromophores` inverted.

Three channels, three unknowns: melanin, blood, and the light, which darkens all channels alike. How much a channel
tells of a pigment depends on how dark skin is: on dark skin blue tells nothing, and the ratios of channels turn back,
so that light skin full of blood and dark skin share them. So each colour gets the pigments that are likeliest for it
(maximum a posteriori: Tarantola 2005, section 3.2), with the light free within bounds, and channels weighed by how
finely 8 bits hold them there. They are looked up in a table that is computed once.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.chromophores import LOG_BLOOD, LOG_MELANIN, density_table
from ml.skin.colour import code_step, optical_density
from ml.values import RGB, Mask

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_AVERAGED, _TYPICAL = 2, 4  # pixels to a side that one value is taken of, and values that the typical skin is
_SHADING, _EXPOSURE = 0.05, 0.15  # in optical density: one standard deviation of the light in a photo, and of its mean
_MISFIT = 0.004  # of the model, in optical density
_TYPICAL_MISFIT = 0.05  # of the colour of a whole photo's skin, with the light's cast and flare
_MEAN, _SPREAD = np.log([0.03, 0.006]), np.array([3.0, 1.0])  # of ln melanin and ln blood, before anything is seen
_STEP = np.array([LOG_MELANIN[1] - LOG_MELANIN[0], LOG_BLOOD[1] - LOG_BLOOD[0]])
_POWERS = np.array([1.0, 0.5], np.float32)  # of the fractions, in the table: nearly linear in density

# The table's axes: density of red, and what green has more than red, blue more than green.
_RED, _GREEN_RED, _BLUE_GREEN = np.linspace(0, 4.6, 47), np.linspace(-0.1, 1.9, 33), np.linspace(-0.1, 1.7, 31)
_AXES = (_RED, _GREEN_RED, _BLUE_GREEN)
_TO_AXES = np.array([(1, 0, 0), (-1, 1, 0), (0, -1, 1)]) / np.array([[a[1] - a[0]] for a in _AXES])
_ORIGIN = np.array([-a[0] / (a[1] - a[0]) for a in _AXES])


def prepare() -> None:
    """Compute the table now, so that no photo waits for it."""
    _atlas()


def unmix(rgb: RGB, skin: Mask | None = None) -> Floats:
    """ln of the volume fractions of melanin and of blood (H, W, 2), of a photo (H, W, 3) with ``skin`` (H, W).

    Every four pixels are averaged, which halves the rounding. Without skin the values mean nothing, but are finite.
    """
    height, width = rgb.shape[:2]
    density = _shrink(optical_density(rgb), _AVERAGED)
    exposure = _exposure(_typical(density, skin))
    offset = _ORIGIN - _TO_AXES.sum(axis=1) * exposure
    position = np.asarray(cv2.transform(density, np.column_stack([_TO_AXES, offset]).astype(np.float32)), np.float32)
    return np.asarray(cv2.resize(_read(position), (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _shrink(values: Floats, factor: int) -> Floats:
    height, width = values.shape[:2]
    size = max(1, width // factor), max(1, height // factor)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _read(position: Floats) -> Floats:
    """ln of the table's fractions (H, W, 2) at positions (H, W, 3) in its cells, linear between them."""
    rows = np.float32(len(_GREEN_RED))
    red, green, blue = cv2.split(position)
    red = np.clip(red, 0, np.float32(len(_RED) - 1.001))
    slab = np.floor(red)
    row = slab * rows + np.clip(green, 0, rows - 1)
    near, far = (
        cv2.remap(_atlas(), blue, row + shift, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for shift in (np.float32(0), rows)
    )
    return np.asarray(cv2.log(near + (far - near) * (red - slab)[..., None]) / _POWERS, np.float32)


def _typical(density: Floats, skin: Mask | None) -> Doubles:
    """The median density (3,) of skin, of means of so many pixels that rounding hardly counts."""
    small = _shrink(density, _TYPICAL)
    colours = small.reshape(-1, 3)
    if skin is not None:
        size = small.shape[1], small.shape[0]
        whole = cv2.resize(skin.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel() > 0.99
        colours = colours[whole] if whole.any() else colours
    return np.asarray(np.median(colours, axis=0), np.float64)


def _exposure(density: Doubles) -> float:
    """What the light adds to ``density`` (3,) of typical skin, at the pigments that are likeliest for it."""
    noise = _noise(density, _TYPICAL_MISFIT)
    row, column = (int(i[0]) for i in _likeliest(density[None], _weights(noise[None], _EXPOSURE), 1))
    precision = 1 / noise
    rest = density - density_table()[row, column]
    found = float(precision @ rest / (precision.sum() + 1 / _EXPOSURE**2))
    return max(-2 * _EXPOSURE, min(2 * _EXPOSURE, found))  # more is a scale, or a mask that is not skin


def _noise(density: Doubles, misfit: float) -> Doubles:
    """Variance of optical densities: of 8-bit codes, and of what the model misses."""
    return np.asarray(code_step(density) ** 2 / 12 + misfit**2)


def _weights(noise: Doubles, light: float) -> Doubles:
    """Inverse covariance (…, 3, 3) of densities with the variances ``noise`` (…, 3), where the light varies too."""
    return np.asarray(np.linalg.inv(noise[..., None] * np.eye(3) + light**2))


def _likeliest(density: Doubles, weights: Doubles, stride: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns in the model's table of the pigments that are likeliest for densities (N, 3)."""
    table = density_table()[::stride, ::stride].reshape(-1, 3).astype(np.float64)
    pigments = _pigments()[::stride, ::stride]
    # (d - t)ᵀ W (d - t), less what depends on d alone, as one product of matrices
    linear = -2 * np.einsum("nij,nj->ni", weights, density)
    squares = np.einsum("ti,tj->tij", table, table).reshape(-1, 9)
    cost = linear @ table.T + weights.reshape(-1, 9) @ squares.T
    cost += (((pigments - _MEAN) / _SPREAD) ** 2).sum(axis=-1).ravel()
    row, column = np.unravel_index(cost.argmin(axis=1), pigments.shape[:2])
    return row * stride, column * stride


@cache
def _pigments() -> Doubles:
    """ln melanin and ln blood at each of the model's colours."""
    return np.stack(np.meshgrid(LOG_MELANIN, LOG_BLOOD), axis=-1)


@cache
def _atlas() -> Floats:
    """The table: slabs of one density of red below each other, in each green − red down and blue − green across."""
    return np.exp(np.concatenate([_slab(red) for red in _RED]) * _POWERS).astype(np.float32)


def _slab(red: float) -> Doubles:
    green = red + _GREEN_RED[:, None] + 0 * _BLUE_GREEN
    density = np.stack([np.full_like(green, red), green, green + _BLUE_GREEN], axis=-1)
    weights = _weights(_noise(density, _MISFIT), _SHADING)
    row, column = _likeliest(density.reshape(-1, 3), weights.reshape(-1, 3, 3), 4)
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

"""Pigment from colour: erythema and melanin indices, and the maps of melanin and haemoglobin that are drawn on a photo.

All use the camera's linear RGB as reflectance. The photo has no white reference, so only ratios of channels and
differences within the photo are independent of the exposure. No number is taken from the maps; the answer has the
differences of the two indices between a lesion and the skin around it (ml.skin.lesion).

The maps invert the model of `ml.skin.optics`. Each colour gets its likeliest pigments (maximum a posteriori; Tarantola
2005, section 3.2), from a table. Three channels depend on four unknowns: melanin, blood, the light, which scales all
channels, and white that the surface, thin scale or flare adds to all channels. Ratios of channels alone are ambiguous:
light skin with much blood has the same ratios as dark skin. So light and white have priors, and each channel is
weighted by the resolution of 8 bits at its value. On dark skin, blood changes the codes by less than rounding and noise
do, so neighbours of similar colour are averaged first. The photo's exposure is estimated from its typical skin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import code_step, optical_density
from ml.skin.declaration import Measure
from ml.skin.optics import LOG_BLOOD, LOG_MELANIN, density_table
from ml.values import RGB, Doubles, Floats, Mask

_BLACK = np.float32(1.5e-4)  # half of the first sRGB code in linear light, because the logarithm of 0 is infinite

_AVERAGED = 2  # side in pixels of the square that is averaged to one value, which halves the rounding error
_NEAR = 1.5  # standard deviation, in values, of the average on dark skin
# Densities of green at which averaging starts and is complete. Codes differ by .012 and .02 there.
_AVERAGED_FROM, _AVERAGED_TO = 0.7, 1.9
_REACH = 7  # side, in values, of the window of the average
_ALIKE = 0.15  # standard deviation in optical density: neighbours that differ more are not averaged

_TYPICAL = 4  # side, in values, of the square that is averaged to find typical skin
_EXPOSURE = 0.15  # standard deviation of a photo's exposure, in optical density
_TYPICAL_MISFIT = 0.05  # standard deviation of typical skin's colour, with colour cast and flare, in optical density

_SHADING = 0.05  # standard deviation of the light within a photo, in optical density
_WHITE = 0.001  # standard deviation of the white that the surface adds, in linear light
_MISFIT = 0.004  # standard deviation of the model's error, in optical density
_MEAN, _SPREAD = np.log([0.03, 0.006]), np.array([3.0, 1.0])  # prior of ln melanin and ln blood
_STEP = np.array([LOG_MELANIN[1] - LOG_MELANIN[0], LOG_BLOOD[1] - LOG_BLOOD[0]])
_POWERS = np.array([1.0, 0.5], np.float32)  # the table has these powers of the fractions, which are smooth in density
_PLACES = np.float32(32)  # positions in the table are rounded to 1/32 of a cell, as some OpenCV interpolations do

# The table's axes: density of red, of green less red, and of blue less green.
_RED, _GREEN_RED, _BLUE_GREEN = np.linspace(0, 4.6, 47), np.linspace(-0.1, 1.9, 33), np.linspace(-0.1, 1.7, 31)
_AXES = (_RED, _GREEN_RED, _BLUE_GREEN)
_TO_AXES = np.array([(1, 0, 0), (-1, 1, 0), (0, -1, 1)]) / np.array([[a[1] - a[0]] for a in _AXES])
_ORIGIN = np.array([-a[0] / (a[1] - a[0]) for a in _AXES])


def erythema_index(linear: Floats | Doubles) -> Floats:
    """The erythema index (…) of linear sRGB (…, 3)."""
    return np.asarray(_decades(linear[..., 0]) - _decades(linear[..., 1]), np.float32)


def melanin_index(linear: Floats | Doubles) -> Floats:
    """The melanin index (…) of linear sRGB (…, 3)."""
    return -_decades(linear[..., 0])


def _decades(linear: Floats | Doubles) -> Floats:
    return np.asarray(100 * np.log10(np.maximum(linear, _BLACK)), np.float32)


@dataclass(frozen=True, eq=False)
class Pigment:
    """The pigment maps (h, w) of a photo, natural logarithms of volume fractions: of melanosomes in the epidermis and
    of blood in the dermis. These fractions are a model's, not laboratory values, so use only their differences within
    the photo. Values outside skin have no meaning, but are finite."""

    melanin: Floats
    haemoglobin: Floats


def pigment_maps(rgb: RGB, skin: Mask | None = None) -> Pigment:
    """The maps of a photo (H, W, 3). Its exposure is estimated from ``skin`` (H, W), or from the whole photo."""
    height, width = rgb.shape[:2]
    fine = _shrink(optical_density(rgb), _AVERAGED)
    pigments = _likeliest_pigments(_steadied(fine), _exposure(_typical(fine, skin)))
    whole = cv2.resize(pigments, (width, height), interpolation=cv2.INTER_LINEAR)
    return Pigment(*(np.asarray(part, np.float32) for part in cv2.split(whole)))


def _steadied(density: Floats) -> Floats:
    """``density`` (H, W, 3), averaged over similar neighbours on dark skin (a bilateral filter)."""
    smooth = np.asarray(cv2.bilateralFilter(density, _REACH, _ALIKE, _NEAR), np.float32)
    share = _averaged_share(smooth)
    return np.asarray(density + cv2.merge([share, share, share]) * (smooth - density), np.float32)


def _averaged_share(density: Floats | Doubles) -> Floats:
    """The weight (…), 0–1, of the neighbours' mean at optical densities (…, 3)."""
    share = (density[..., 1] - _AVERAGED_FROM) / (_AVERAGED_TO - _AVERAGED_FROM)
    return np.asarray(np.clip(share, 0, 1), np.float32)


def _shrink(values: Floats, factor: int) -> Floats:
    height, width = values.shape[:2]
    size = max(1, width // factor), max(1, height // factor)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _typical(density: Floats, skin: Mask | None) -> Doubles:
    """The median optical density (3,) of ``skin``, or of the whole photo without it."""
    small = _shrink(density, _TYPICAL)
    colours = small.reshape(-1, 3)
    if skin is not None:
        size = small.shape[1], small.shape[0]
        whole = cv2.resize(skin.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel() > 0.99
        colours = colours[whole] if whole.any() else colours
    return np.median(colours, axis=0).astype(np.float64)


def _exposure(density: Doubles) -> float:
    """The exposure: the difference of ``density`` (3,) of typical skin from the model with its likeliest pigments."""
    noise = _noise(density, _TYPICAL_MISFIT)
    row, column = (int(i[0]) for i in _likeliest(density[None], _weights(noise[None], _EXPOSURE), 1))
    precision = 1 / noise
    rest = density - density_table()[row, column]
    found = float(precision @ rest / (precision.sum() + 1 / _EXPOSURE**2))
    return max(-2 * _EXPOSURE, min(2 * _EXPOSURE, found))  # larger values mean that this is not skin


def _likeliest_pigments(density: Floats, exposure: float) -> Floats:
    """ln of the fractions of melanin and blood (H, W, 2) for ``density`` (H, W, 3) less ``exposure``, interpolated
    linearly in the table."""
    offset = _ORIGIN - _TO_AXES.sum(axis=1) * exposure
    position = np.asarray(cv2.transform(density, np.column_stack([_TO_AXES, offset]).astype(np.float32)), np.float32)
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
def _atlas() -> Floats:
    """The table as one image (rows, columns, 4) for OpenCV. It has a slab for each density of red, one below another.
    In a slab, rows are green − red and columns are blue − green. Each place has the two values of its own slab and of
    the next one, so that one look-up is enough."""
    slabs = np.exp([_slab(red) * _POWERS for red in _RED]).astype(np.float32)
    return np.concatenate([slabs[:-1], slabs[1:]], axis=-1).reshape(-1, len(_BLUE_GREEN), 4)


def _slab(red: float) -> Doubles:
    green = red + _GREEN_RED[:, None] + 0 * _BLUE_GREEN
    density = np.stack([np.full_like(green, red), green, green + _BLUE_GREEN], axis=-1)
    share = _averaged_share(density)[..., None]
    kept = ((1 - share) ** 2 + share**2 / (4 * np.pi * _NEAR**2)) / _AVERAGED**2  # of the rounding's variance
    weights = _weights(_noise(density, _MISFIT, kept), _SHADING, _WHITE * np.exp(density))
    row, column = _likeliest(density.reshape(-1, 3), weights.reshape(-1, 3, 3), 4)
    start = _pigments()[row, column].reshape(*green.shape, 2)
    return _refine(density, start, weights)


def _noise(density: Doubles, misfit: float, kept: Doubles | float = 1.0) -> Doubles:
    """The variance of optical densities: that of 8-bit rounding times ``kept``, the share that is left after averaging,
    plus that of the model's error, whose standard deviation is ``misfit``."""
    return np.asarray(kept * code_step(density) ** 2 / 12 + misfit**2)


def _weights(noise: Doubles, light: float, white: Doubles | None = None) -> Doubles:
    """The inverse covariance (…, 3, 3) of optical densities. ``noise`` (…, 3): their variances. ``light``: the standard
    deviation of the light. ``white`` (…, 3): their change by one standard deviation of added white."""
    covariance = noise[..., None] * np.eye(3) + light**2
    if white is not None:
        covariance = covariance + white[..., :, None] * white[..., None, :]
    return np.asarray(np.linalg.inv(covariance))


def _likeliest(density: Doubles, weights: Doubles, stride: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows and columns (N,) in the model's table of the likeliest pigments for optical densities (N, 3). Only every
    ``stride``-th row and column is tried."""
    # The cost is (d - t)ᵀ W (d - t) without the term that depends on d alone, as one matrix product.
    linear = -2 * np.einsum("nij,nj->ni", weights, density)
    terms = _cost_terms(stride)
    cost = np.concatenate([linear, weights.reshape(-1, 9), np.ones((len(density), 1))], axis=1) @ terms
    row, column = np.unravel_index(cost.argmin(axis=1), _pigments()[::stride, ::stride].shape[:2])
    return row * stride, column * stride


@cache
def _cost_terms(stride: int) -> Doubles:
    """The terms of the cost (13, …) for each of the model's colours t: t, t tᵀ and the prior of its pigments."""
    table = density_table()[::stride, ::stride].reshape(-1, 3).astype(np.float64)
    squares = np.einsum("ti,tj->tij", table, table).reshape(-1, 9)
    prior = (((_pigments()[::stride, ::stride] - _MEAN) / _SPREAD) ** 2).sum(axis=-1).ravel()
    return np.concatenate([table, squares, prior[:, None]], axis=1).T.copy()


@cache
def _pigments() -> Doubles:
    """ln melanin and ln blood of each of the model's colours (65, 121, 2)."""
    return np.stack(np.meshgrid(LOG_MELANIN, LOG_BLOOD), axis=-1)


def _refine(density: Doubles, at: Doubles, weights: Doubles) -> Doubles:
    """Gauss–Newton steps from ``at`` (…, 2) to the likeliest pigments of ``density`` (…, 3)."""
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


@cache
def _model() -> tuple[Floats, Floats, Floats]:
    """The model's optical density, and its derivatives by ln melanin and ln blood."""
    table = density_table()
    slopes = (np.gradient(table, axis=axis) / step for axis, step in ((1, _STEP[0]), (0, _STEP[1])))
    melanin, blood = (np.asarray(slope, np.float32) for slope in slopes)
    return table, melanin, blood


ERYTHEMA_METHOD = "100·log10(R/G), linear reflectance"
MELANIN_METHOD = "100·log10(1/R), linear reflectance"
MEASURES = (
    Measure(
        name="erythema_index",
        label="Erythema index",
        unit="index",
        direction="redder",
        description="The redness of blood in the skin, from how much more red than green light it reflects. Brown "
        "pigment raises it too.",
        method=ERYTHEMA_METHOD,
        measured=lambda part: part.region.mean(erythema_index(part.frame.linear)),
        regions=("skin", "face", "zone"),
        standard_in=(),
    ),
    Measure(
        name="melanin_index",
        label="Melanin index",
        unit="index",
        direction="more brown pigment",
        description="The brown pigment of the skin, from how little red light it reflects. It depends on the exposure.",
        method=f"{MELANIN_METHOD}; shifts with exposure",
        measured=lambda part: part.region.mean(melanin_index(part.frame.linear)),
        standard_in=(),
    ),
)

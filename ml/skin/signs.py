"""Signs of what kind of photo this is: a few numbers that mean something, each from light, colour or edges.

All are taken on a copy of 192 px and inside the ellipse that the frame encloses: the corners of a dermatoscope's
picture may be black, and those of any picture say least. None asks how light or dark the skin is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import rgb_to_lab, shrink
from ml.values import RGB, Mask

Floats = NDArray[np.float32]
_Rim = tuple[NDArray[np.intp], NDArray[np.intp]]  # where its pixels are in a flattened photo, and the sector of each

_SIDE = 192
_FIELD, _RIM = 0.97, 0.75  # radii of the ellipse, and of where its rim begins
_SECTORS = 8  # of the rim
_SMOOTH = 1.5  # L* per pixel, averaged over 7 px: skin lies below, fur, fabric and print above
_COLOURLESS = 4.0  # chroma below this is grey to the eye
_COLD = (10.0, -70.0, 105.0)  # least chroma, and the hue angles in degrees beyond which skin of no tone lies


@dataclass(frozen=True)
class Signs:
    """``smooth_skin``, ``colourless``, ``cold`` (blue or green) are shares of the field, 0–1. ``edges_90`` and
    ``edges_98`` are percentiles of the gradient of L* (per pixel). ``colour_scatter`` is the standard deviation of
    chroma within the skin mask. ``rim_colour`` (a*b*) and ``rim_light`` (L*) tell how far the last sector but one
    of the rim lies from the median sector: a background shows there."""

    smooth_skin: float
    colourless: float
    cold: float
    edges_90: float
    edges_98: float
    colour_scatter: float
    rim_colour: float
    rim_light: float


def read_signs(rgb: RGB, skin: Mask) -> Signs:
    """The signs of a photo (H, W, 3) whose skin mask is ``skin`` (H, W)."""
    small = shrink(rgb, _SIDE)
    height, width = small.shape[:2]
    mask = cv2.resize(skin.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).view(np.bool_)
    lab = rgb_to_lab(np.asarray(cv2.GaussianBlur(small, (0, 0), 0.8), np.uint8))
    lightness, a, b = (lab[..., channel] for channel in range(3))
    field, rim = _geometry(height, width)
    chroma = np.asarray(cv2.magnitude(a, b), np.float32)
    edges = _edges(lightness)
    inside = chroma[mask & field]
    ordered = np.sort(edges[field])  # NumPy's percentiles take twice as long as this
    edges_90, edges_98 = np.interp(np.array((0.90, 0.98)) * (len(ordered) - 1), np.arange(len(ordered)), ordered)
    rim_colour, rim_light = _rim(lab, rim)
    return Signs(
        smooth_skin=float((mask & (cv2.boxFilter(edges, -1, (7, 7)) < _SMOOTH))[field].mean()),
        colourless=float((chroma < _COLOURLESS)[field].mean()),
        cold=float(_cold(a, b, chroma)[field].mean()),
        edges_90=float(edges_90),
        edges_98=float(edges_98),
        colour_scatter=float(inside.std()) if len(inside) else 0.0,
        rim_colour=rim_colour,
        rim_light=rim_light,
    )


def _edges(lightness: Floats) -> Floats:
    """The gradient of L* per pixel, by Sobel's kernel."""
    across, down = (cv2.Sobel(lightness, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _cold(a: Floats, b: Floats, chroma: Floats) -> Mask:
    least, low, high = _COLD
    hue = np.degrees(np.arctan2(b, a))
    return np.asarray((chroma > least) & ((hue < low) | (hue > high)), np.bool_)


def _rim(lab: Floats, rim: _Rim) -> tuple[float, float]:
    """How far the second farthest sector's mean lies from the median sector, in a*b* and in L*."""
    at, sectors = rim
    pixels = np.bincount(sectors, minlength=_SECTORS)
    sums = [np.bincount(sectors, lab[..., axis].take(at), _SECTORS) for axis in range(3)]
    means = (np.stack(sums)[:, pixels > 0] / pixels[pixels > 0]).T
    if len(means) < 2:
        return 0.0, 0.0
    offsets = means - np.median(means, axis=0)
    colour, light = np.hypot(offsets[:, 1], offsets[:, 2]), np.abs(offsets[:, 0])
    return float(np.sort(colour)[-2]), float(np.sort(light)[-2])


@lru_cache(maxsize=32)
def _geometry(height: int, width: int) -> tuple[Mask, _Rim]:
    """The field (H, W), never empty, and its rim."""
    rows, columns = (np.linspace(-1, 1, length) if length > 1 else np.zeros(1) for length in (height, width))
    radius = np.hypot(rows[:, None], columns)
    field = radius <= max(_FIELD, float(radius.min()))
    turn = (np.arctan2(rows[:, None], columns) + np.pi) / (2 * np.pi)
    rim = field & (radius > _RIM)
    sectors = np.minimum(turn[rim] * _SECTORS, _SECTORS - 1).astype(np.intp)
    return np.asarray(field, np.bool_), (np.flatnonzero(rim), sectors)

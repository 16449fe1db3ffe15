"""Texture of skin: lines and roughness.

Both are measured on a *surface*: the fine structure of the skin at one fixed scale. The photo, or the box of a face, is
resized to one size and smoothed, so that a photo and its smaller copy give the same values. Slow variation is removed,
so that the light does not count. The surface is in L*, whose steps are about equally visible on dark and light skin. In
optical density the noise of dark skin would look like texture, and in linear light its texture would vanish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ml.skin.colour import lightness, shrink
from ml.skin.declaration import Measure
from ml.skin.frame import Part, once
from ml.skin.regions import UNKNOWN, Region, Value
from ml.values import Floats, Mask

Box = tuple[slice, slice]  #: rows and columns

SIDE = 256  #: long side of the frame, or of the face, in pixels of the surface
LEAST_SIDE = 160  #: smallest long side of the frame or face in pixels; fewer pixels lack fine structure
_SMOOTHING = 1.2  # standard deviation in pixels of the surface, like the following ones
_WAVE = 6.0  # slower variation is shading or a patch of colour, not texture
_MOST = 4.0  # L*
_MARGIN = 4  # pixels at the edge of skin that are left out, because filters there cover other things too

SCALES = (1.5, 2.5)  # of lines: standard deviations in pixels
_ANISOTROPY = 0.5  # Frangi's β
_CONTRAST = 1.0  # Frangi's c, in L*: the contrast term of a ridge with this curvature is 0.39


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface of a part. ``detail`` (h, w): L* less its local mean; negative is darker, and 0 is not skin. ``box``:
    the part of the working copy that it shows."""

    detail: Floats
    box: Box

    @cached_property
    def squares(self) -> Floats:
        """The squares (h, w) of the detail, clipped to ±4 L*, so that a hair or a glint counts little."""
        return np.asarray(np.clip(self.detail, -_MOST, _MOST) ** 2, np.float32)

    @cached_property
    def lines(self) -> Floats:
        """The response to dark lines (h, w), 0–100."""
        return np.asarray(100 * line_response(self.detail), np.float32)

    def region(self, mask: Mask) -> Region:
        """The region of the surface that ``mask`` (H, W) of the working copy covers, without its edge."""
        height, width = self.detail.shape
        inside = cv2.resize(mask[self.box].view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        kernel = np.ones((2 * _MARGIN + 1, 2 * _MARGIN + 1), np.uint8)
        return Region(np.asarray(cv2.erode(inside, kernel), np.bool_))


@once
def surface(part: Part) -> Surface | None:
    """The surface of a part that is not a zone. None if the long side of the frame or of the face has fewer than 160
    pixels. A face is cut out of the photo itself, which may have more pixels than the working copy."""
    if not part.region.usable:
        return None
    if part.face is None:
        height, width = part.skin.shape
        return _surface(part.frame.lab[..., 0], part.skin, (slice(0, height), slice(0, width)))
    photo, face = part.frame.rgb, part.face
    left, top, wide, high = cv2.boundingRect(face.view(np.uint8))
    box = slice(top, top + high), slice(left, left + wide)
    scales = photo.shape[0] / face.shape[0], photo.shape[1] / face.shape[1]
    rows, columns = (slice(round(s.start * by), round(s.stop * by)) for s, by in zip(box, scales, strict=True))
    return _surface(lightness(shrink(photo[rows, columns], 2 * SIDE)), part.skin, box)


@once
def shown(part: Part) -> tuple[Surface, Region] | None:
    """The surface of a part, and the part's region on it. None if there is no surface, or if the region without its
    edge has fewer than 64 pixels."""
    found = surface(part.whole)
    region = None if found is None else found.region(part.region.mask)
    return (found, region) if found is not None and region is not None and region.usable else None


def _surface(lightness: Floats, skin: Mask, box: Box) -> Surface | None:
    if max(lightness.shape) < LEAST_SIDE:
        return None
    there = skin[box].astype(np.float32)
    if there.shape != lightness.shape:
        there = np.asarray(cv2.resize(there, lightness.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    return Surface(_detail_of(_to_surface(lightness * there), _to_surface(there)), box)


def _detail_of(weighted: Floats, weight: Floats) -> Floats:
    """L* without noise and shading, (h, w); 0 where there is no skin. ``weight`` (h, w) is the share of each pixel that
    is skin, 0–1. ``weighted`` (h, w) is L* times ``weight``."""
    smooth = _mean_near(weighted, weight, _SMOOTHING)
    inside = (weight > 0.5).astype(np.float32)
    return np.asarray((smooth - _mean_near(smooth * inside, inside, _WAVE)) * inside, np.float32)


def _mean_near(weighted: Floats, weight: Floats, sigma: float) -> Floats:
    """The local mean (h, w) of skin alone (normalised convolution). ``weighted`` is the values times ``weight``."""
    total, share = (cv2.GaussianBlur(values, (0, 0), sigma) for values in (weighted, weight))
    return np.asarray(total / np.maximum(share, np.float32(1e-3)), np.float32)


def _to_surface(values: Floats) -> Floats:
    scale = SIDE / max(values.shape)
    height, width = (max(1, round(length * scale)) for length in values.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(values, (width, height), interpolation=how), np.float32)


# The line filter of Frangi et al. (1998), which Ng et al. (2014) applied to wrinkles. A ridge curves strongly across
# and hardly along itself, which the eigenvalues of the Hessian show. Frangi scales the contrast by the strongest
# structure of each image. Here the scale is fixed, so that photos are comparable. The mean of the response (0–1) is
# reported. A count above a threshold would change with the slightest change of a faint line.


def line_response(detail: Floats) -> Floats:
    """The response (h, w), 0–1, to dark lines in ``detail`` (h, w), L*."""
    return np.asarray(cv2.max(*(_response(*_hessian(detail, sigma)) for sigma in SCALES)), np.float32)


def _response(lesser: Floats, greater: Floats) -> Floats:
    """Frangi's measure in two dimensions. At a dark line the eigenvalue of larger magnitude is positive."""
    along = np.asarray(lesser / np.maximum(greater, np.float32(1e-6)), np.float32)
    elongated = _bell(along * along, _ANISOTROPY)
    found = elongated * (1 - _bell(lesser * lesser + greater * greater, _CONTRAST))
    return np.asarray(cv2.copyTo(found, (greater > np.abs(lesser)).view(np.uint8)), np.float32)


def _bell(squares: Floats, sigma: float) -> Floats:
    """The Gaussian exp(−squares / 2σ²), at least e⁻⁸⁰, because OpenCV's exponential is forty times slower if it
    underflows."""
    return np.asarray(cv2.exp(np.maximum(squares * np.float32(-0.5 / sigma**2), np.float32(-80))), np.float32)


def _hessian(values: Floats, sigma: float) -> tuple[Floats, Floats]:
    """The eigenvalues (lesser, greater), (h, w) each, of the Hessian of ``values`` (h, w) smoothed by ``sigma`` pixels.
    They are multiplied by sigma², to be comparable between scales (Lindeberg 1998)."""
    smooth = cv2.GaussianBlur(values, (0, 0), sigma)
    xx, yy, xy = (
        cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=sigma**2 / 4) for order in ((2, 0), (0, 2), (1, 1))
    )
    middle, half = (xx + yy) / 2, (xx - yy) / 2
    reach = cv2.magnitude(half, np.asarray(xy, np.float32))
    return np.asarray(middle - reach, np.float32), np.asarray(middle + reach, np.float32)


def _lines(part: Part) -> Value:
    found = shown(part)
    return UNKNOWN if found is None else found[1].mean(found[0].lines)


def _roughness(part: Part) -> Value:
    found = shown(part)
    return UNKNOWN if found is None else roughness(*found)


def roughness(surface: Surface, skin: Region) -> Value:
    """The root mean square of the surface in ``skin``, L*: the contrast of Peli (1990), like Rq of a profile."""
    square, error = skin.mean(surface.squares)
    if square is None:
        return UNKNOWN
    value = math.sqrt(square)
    return value, None if error is None or not value else error / (2 * value)


MEASURES = (
    Measure(
        name="lines",
        label="Lines",
        unit="%",
        direction="more lines",
        description="How much of the skin is covered by fine dark lines: creases, wrinkles and furrows. Hairs and the "
        "rims of scales count too.",
        method=f"mean response of Frangi's line filter to dark ridges of L*, σ = 1.5 and 2.5 px of {SIDE}; "
        "higher is more lines",
        measured=_lines,
        regions=("skin", "face", "zone"),
        standard_in=("face",),
        scored=True,
    ),
    Measure(
        name="roughness",
        label="Roughness",
        unit="L*",
        direction="rougher",
        description="How strongly the fine relief of the skin shows as light and dark.",
        method=f"root mean square of L* less its local mean, on a frame of {SIDE} px; higher is rougher",
        measured=_roughness,
        regions=("skin", "face", "zone"),
        standard_in=("face",),
        scored=True,
    ),
)

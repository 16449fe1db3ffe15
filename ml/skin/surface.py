"""The fine structure of skin at one fixed scale, on which lines and roughness are measured.

How many pixels a photo has must not count: its frame, or the box of a face, is brought to one size and smoothed to what
that size can hold, so that a photo and its smaller copy show the same structure. Nor must the light: what varies slowly
is taken away. Structure is kept in L*, whose steps are about equally visible on dark and on light skin; in optical
density, the noise of dark skin would pass for texture, and in linear light its texture would vanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import lightness, shrink
from ml.skin.regions import Region
from ml.skin.ridges import line_response
from ml.values import RGB, Mask

Floats = NDArray[np.float32]
Box = tuple[slice, slice]  #: rows and columns

SIDE = 256  #: long side of the frame, or of the face, in pixels of the surface
LEAST_SIDE = 160  #: of the frame or face in the copy: fewer pixels lack the structure that the surface would show
_SMOOTHING = 1.2  # standard deviation in pixels of the surface, as are those below
_WAVE = 6.0  # what varies over more than this is shading or a patch of colour, not texture
_MOST = 4.0  # L*
_MARGIN = 4  # nearer to the edge of skin, much of what a filter sees is not skin


@dataclass(frozen=True, eq=False)
class Surface:
    """``detail`` (h, w): L* less its local mean, negative where darker, 0 off skin. ``box``: what part of the copy it
    shows."""

    detail: Floats
    box: Box

    @cached_property
    def squares(self) -> Floats:
        """Squares (h, w) of the detail, where no more than 4 L* counts: a hair or a glint differs by more."""
        return np.asarray(np.clip(self.detail, -_MOST, _MOST) ** 2, np.float32)

    @cached_property
    def lines(self) -> Floats:
        """0–100 (h, w): how much each pixel is of a dark line."""
        return np.asarray(100 * line_response(self.detail), np.float32)

    def region(self, name: str, mask: Mask) -> Region:
        """A region of the copy (H, W) as one of the surface, without its edge."""
        height, width = self.detail.shape
        inside = cv2.resize(mask[self.box].view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        kernel = np.ones((2 * _MARGIN + 1, 2 * _MARGIN + 1), np.uint8)
        return Region(name, np.asarray(cv2.erode(inside, kernel), np.bool_))


def skin_surface(lightness: Floats, skin: Mask) -> Surface | None:
    """The surface of the ``skin`` in L* (H, W) of a whole working copy; None where that has fewer than 160 pixels on
    its long side."""
    height, width = lightness.shape
    return _surface(lightness, skin, (slice(0, height), slice(0, width)))


def face_surface(photo: RGB, skin: Mask, face: Mask) -> Surface | None:
    """The surface of the ``skin`` around a ``face``, (H, W) both, of a working copy of ``photo``, which may show
    more of it; None where the face has fewer than 160 pixels on its long side even there."""
    left, top, wide, high = cv2.boundingRect(face.view(np.uint8))
    box = slice(top, top + high), slice(left, left + wide)
    scales = photo.shape[0] / face.shape[0], photo.shape[1] / face.shape[1]
    rows, columns = (slice(round(s.start * by), round(s.stop * by)) for s, by in zip(box, scales, strict=True))
    part = photo[rows, columns]
    if max(part.shape[:2]) < LEAST_SIDE:
        return None
    return _surface(lightness(shrink(part, 2 * SIDE)), skin, box)


def _surface(lightness: Floats, skin: Mask, box: Box) -> Surface | None:
    if max(lightness.shape) < LEAST_SIDE:
        return None
    there = skin[box].astype(np.float32)
    if there.shape != lightness.shape:
        there = np.asarray(cv2.resize(there, lightness.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    weight = _to_surface(there)
    return Surface(detail_of(_to_surface(lightness * there), weight, _SMOOTHING, _WAVE), box)


def detail_of(weighted: Floats, weight: Floats, smoothing: float, wave: float) -> Floats:
    """What varies over more than ``smoothing`` and less than ``wave`` pixels, (h, w), 0 off skin. ``weighted`` is L*
    times its ``weight``: the share of each pixel, 0–1, that is skin."""
    smooth = _mean_near(weighted, weight, smoothing)
    inside = (weight > 0.5).astype(np.float32)
    return np.asarray((smooth - _mean_near(smooth * inside, inside, wave)) * inside, np.float32)


def _mean_near(weighted: Floats, weight: Floats, sigma: float) -> Floats:
    """The mean around each pixel of values that come multiplied by their ``weight``: of skin alone, so that nothing
    beside it reaches in."""
    total, share = (cv2.GaussianBlur(values, (0, 0), sigma) for values in (weighted, weight))
    return np.asarray(total / np.maximum(share, np.float32(1e-3)), np.float32)


def _to_surface(values: Floats) -> Floats:
    scale = SIDE / max(values.shape)
    height, width = (max(1, round(length * scale)) for length in values.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(values, (width, height), interpolation=how), np.float32)

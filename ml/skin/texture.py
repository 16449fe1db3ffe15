"""Texture of skin: lines, roughness, co-occurrence of grey levels, and local binary patterns.

All are measured on a *surface*: the fine structure of the skin at one fixed scale. The photo, or the box of a face, is
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
from skimage.feature import graycomatrix, graycoprops

from ml.skin.colour import lightness, shrink
from ml.skin.declaration import Measure
from ml.skin.frame import Part, once
from ml.skin.regions import UNKNOWN, Region, Value
from ml.values import Bytes, Floats, Mask

Box = tuple[slice, slice]  #: rows and columns

SIDE = 256  #: long side of the frame, or of the face, in pixels of the surface
LEAST_SIDE = 160  #: smallest long side of the frame or face in pixels; fewer pixels lack fine structure
_SMOOTHING = 1.2  # standard deviation in pixels of the surface, like the following ones
_WAVE = 6.0  # slower variation is shading or a patch of colour, not texture
_MOST = 4.0  # L*
_MARGIN = 4  # pixels at the edge of skin that are left out, because filters there cover other things too

SCALES = (1.5, 2.5)  # of lines: standard deviations in pixels
PIT_SCALE = 1.2  # of pits: standard deviation in pixels
_ANISOTROPY = 0.5  # Frangi's β
_CONTRAST = 1.0  # Frangi's c, in L*: the contrast term of a ridge with this curvature is 0.39

LEVELS, STEP = 32, 0.25  # number of grey levels, and L* of each: a fixed scale, so that photos are comparable
DISTANCES = (1, 3)  # pixels of the surface

QUANTUM = 0.25  # L*; a difference below half of this is noise
LEAST_ROUGHNESS = 0.45  # L*; on smoother skin, patterns are noise and compression artefacts
_NEIGHBOURS = 8
_FRACTION = 1 << 8  # denominator of the interpolation weights of diagonal neighbours, so that float32 sums are exact


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
    weight = _to_surface(there)
    return Surface(detail_of(_to_surface(lightness * there), weight, _SMOOTHING, _WAVE), box)


def detail_of(weighted: Floats, weight: Floats, smoothing: float, wave: float) -> Floats:
    """The variation of L* over more than ``smoothing`` and less than ``wave`` pixels, (h, w); 0 where there is no skin.
    ``weight`` (h, w) is the share of each pixel that is skin, 0–1. ``weighted`` (h, w) is L* times ``weight``."""
    smooth = _mean_near(weighted, weight, smoothing)
    inside = (weight > 0.5).astype(np.float32)
    return np.asarray((smooth - _mean_near(smooth * inside, inside, wave)) * inside, np.float32)


def _mean_near(weighted: Floats, weight: Floats, sigma: float) -> Floats:
    """The local mean (h, w) of skin alone (normalised convolution). ``weighted`` is the values times ``weight``."""
    total, share = (cv2.GaussianBlur(values, (0, 0), sigma) for values in (weighted, weight))
    return np.asarray(total / np.maximum(share, np.float32(1e-3)), np.float32)


def _to_surface(values: Floats) -> Floats:
    scale = SIDE / max(values.shape)
    height, width = (max(1, round(length * scale)) for length in values.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(values, (width, height), interpolation=how), np.float32)


# The line filter of Frangi et al. (1998), which Ng et al. (2014) applied to wrinkles, and its counterpart for pits. A
# ridge curves strongly across and hardly along itself, which the eigenvalues of the Hessian show. Frangi scales the
# contrast by the strongest structure of each image. Here the scale is fixed, so that photos are comparable. The mean of
# the response (0–1) is reported. A count above a threshold would change with the slightest change of a faint line.


def line_response(detail: Floats) -> Floats:
    """The response (h, w), 0–1, to dark lines in ``detail`` (h, w), L*."""
    return np.asarray(cv2.max(*(_response(*_hessian(detail, sigma)) for sigma in SCALES)), np.float32)


def pit_response(detail: Floats) -> Floats:
    """The response (h, w), 0–1, to dark pits in ``detail`` (h, w), L*. A pit curves equally in all directions."""
    lesser, greater = _hessian(detail, PIT_SCALE)
    found = (1 - _elongated(lesser, greater)) * (1 - _faint(lesser, greater))
    return np.asarray(cv2.copyTo(found, (lesser > 0).view(np.uint8)), np.float32)


def _response(lesser: Floats, greater: Floats) -> Floats:
    """Frangi's measure in two dimensions. At a dark line the eigenvalue of larger magnitude is positive."""
    found = _elongated(lesser, greater) * (1 - _faint(lesser, greater))
    return np.asarray(cv2.copyTo(found, (greater > np.abs(lesser)).view(np.uint8)), np.float32)


def _elongated(lesser: Floats, greater: Floats) -> Floats:
    """0–1; 1 if there is no curvature along the ridge."""
    along = np.asarray(lesser / np.maximum(greater, np.float32(1e-6)), np.float32)
    return _bell(along * along, _ANISOTROPY)


def _faint(lesser: Floats, greater: Floats) -> Floats:
    """0–1; 1 if there is no curvature at all."""
    return _bell(lesser * lesser + greater * greater, _CONTRAST)


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


@once
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


@once
def _co_occurrence(part: Part) -> dict[tuple[str, int], float]:
    found = shown(part)
    return {} if found is None else co_occurrence(*found)


def co_occurrence(surface: Surface, skin: Region) -> dict[tuple[str, int], float]:
    """(kind, distance) → GLCM "contrast" or "homogeneity" (Haralick 1973), the mean of four angles. Only pairs of
    pixels inside ``skin`` count."""
    levels = np.clip(surface.detail / np.float32(STEP) + LEVELS / 2, 0, LEVELS - 1)
    coded = np.where(skin.mask, levels, LEVELS).astype(np.uint8)  # pixels outside get an extra level, which is dropped
    counts = graycomatrix(coded, DISTANCES, np.arange(4) * np.pi / 4, LEVELS + 1)[:LEVELS, :LEVELS]
    return {
        (kind, distance): float(value)
        for kind in ("contrast", "homogeneity")
        for distance, value in zip(DISTANCES, graycoprops(counts, kind).mean(axis=1), strict=True)
    }


def _binary_patterns(part: Part) -> Value:
    """Unknown on smooth skin. Patterns do not depend on contrast, so there they would be those of noise."""
    found = shown(part)
    if found is None or (_roughness(part)[0] or 0.0) < LEAST_ROUGHNESS:
        return UNKNOWN
    return pattern_entropy(*found), None


def pattern_entropy(surface: Surface, skin: Region) -> float:
    """The entropy of uniform local binary patterns (Ojala 2002), P = 8, R = 1, in bits, 0 to log2(10)."""
    codes = _pattern_codes(np.rint(surface.detail / np.float32(QUANTUM)))
    counts = cv2.calcHist([codes], [0], skin.mask.view(np.uint8), [1 << _NEIGHBOURS], [0, 1 << _NEIGHBOURS]).ravel()
    shares = np.bincount(_UNIFORM, weights=counts) / counts.sum(dtype=np.float64)
    present = shares[shares > 0]
    return float(-(present * np.log2(present)).sum())


def _pattern_codes(grey: Floats) -> Bytes:
    """The pattern (H, W) of each pixel of ``grey`` (H, W): a bit for each neighbour that is not darker."""
    codes = np.zeros(grey.shape, np.uint8)
    for bit, kernel in enumerate(_KERNELS):
        codes |= (cv2.filter2D(grey, cv2.CV_32F, kernel) >= 0).view(np.uint8) << np.uint8(bit)
    return codes


def _neighbour_kernels() -> tuple[Floats, ...]:
    """The kernels (3, 3) of "neighbour minus centre" for eight neighbours on a circle. The diagonal neighbours are
    interpolated from four pixels."""
    whole, near = _FRACTION**2, round(_FRACTION * np.sqrt(0.5))
    far = _FRACTION - near
    straight = np.array([[0, 0, 0], [0, -whole, whole], [0, 0, 0]], np.float32)
    slanted = np.array([[0, far * near, near**2], [0, far**2 - whole, near * far], [0, 0, 0]], np.float32)
    return tuple(np.rot90(kernel, turns).copy() for turns in range(4) for kernel in (straight, slanted))


def _uniform_classes() -> np.ndarray:
    """The class (256,) of each pattern: its number of ones, or 9 if its bits change more than twice in the circle."""
    bits = (np.arange(1 << _NEIGHBOURS)[:, None] >> np.arange(_NEIGHBOURS)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), _NEIGHBOURS + 1)


_KERNELS = _neighbour_kernels()
_UNIFORM = _uniform_classes()


def _glcm(kind: str, distance: int, does: str, direction: str) -> Measure:
    return Measure(
        name=f"glcm_{kind}_d{distance}",
        label=f"Texture {kind}, {distance} px",
        unit="1",
        direction=direction,
        description=f"How much neighbouring points of the skin {does}, {distance} px apart on a frame of {SIDE} px.",
        method=f"GLCM of L* less its local mean in {LEVELS} levels of {STEP}, mean of 4 angles, on a frame of {SIDE} "
        "px",
        measured=lambda part: (_co_occurrence(part).get((kind, distance)), None),
        scored=True,
    )


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
        scored=True,
    ),
    *(_glcm("contrast", distance, "differ", "rougher") for distance in DISTANCES),
    *(_glcm("homogeneity", distance, "resemble each other", "smoother") for distance in DISTANCES),
    Measure(
        name="lbp_entropy",
        label="Fine texture (LBP entropy)",
        unit="bit",
        direction="more varied texture",
        description="How many kinds of fine pattern the skin shows. Not measured on smooth skin.",
        method=f"entropy of uniform local binary patterns, P = 8, R = 1, of L* on a frame of {SIDE} px",
        measured=_binary_patterns,
        scored=True,
    ),
)

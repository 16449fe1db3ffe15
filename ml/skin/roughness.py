"""Roughness of skin: contrast of its surface, co-occurrence of grey levels, and local binary patterns."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.declaration import Measure
from ml.skin.regions import Region
from ml.skin.surface import SIDE, Surface
from ml.values import Measurement

Floats = NDArray[np.float32]

LEVELS, STEP = 32, 0.25  # grey levels of so many L* each: a fixed scale, so that two photos compare
DISTANCES = (1, 3)  # pixels of the surface
QUANTUM = 0.25  # L*: a difference of less than half of it is noise, and no pattern
LEAST_ROUGHNESS = 0.45  # L*: below, patterns are what noise and compression left
ROUGHNESS = Measure(
    name="roughness",
    label="Roughness",
    unit="L*",
    direction="rougher",
    description="How strongly the fine relief of the skin shows as light and dark.",
    method=f"root mean square of L* less its local mean, on a frame of {SIDE} px; higher is rougher",
    regions=("skin", "zone"),
    scored=True,
)
_GLCM = f"GLCM of L* less its local mean in {LEVELS} levels of {STEP}, mean of 4 angles, on a frame of {SIDE} px"


def _glcm(kind: str, distance: int, does: str, direction: str) -> Measure:
    return Measure(
        name=f"glcm_{kind}_d{distance}",
        label=f"Texture {kind}, {distance} px",
        unit="1",
        direction=direction,
        description=f"How much neighbouring points of the skin {does}, {distance} px apart on a frame of {SIDE} px.",
        method=_GLCM,
        scored=True,
    )


GLCM = {
    (kind, distance): _glcm(kind, distance, does, direction)
    for kind, does, direction in (("contrast", "differ", "rougher"), ("homogeneity", "resemble each other", "smoother"))
    for distance in DISTANCES
}
LBP = Measure(
    name="lbp_entropy",
    label="Fine texture (LBP entropy)",
    unit="bit",
    direction="more varied texture",
    description="How many kinds of fine pattern the skin shows. Not measured on smooth skin.",
    method=f"entropy of uniform local binary patterns, P = 8, R = 1, of L* on a frame of {SIDE} px",
    scored=True,
)
MEASURES = (ROUGHNESS, *GLCM.values(), LBP)

_NEIGHBOURS = 8
_FRACTION = 1 << 8  # weights of the diagonal neighbours are whole numbers over this, so that float32 sums are exact


def roughness(surface: Surface | None, skin: Region | None, name: str) -> Measurement:
    """Root mean square of the surface in ``skin``, a region of it named ``name``: the contrast of Peli (1990), and what
    Rq is to a profile. None without a surface."""
    if surface is None or skin is None:
        return ROUGHNESS.measurement(name)
    squares = skin.mean(ROUGHNESS, surface.squares)
    if squares.value is None:
        return squares
    value = math.sqrt(squares.value)
    error = None if squares.uncertainty is None or not value else squares.uncertainty / (2 * value)
    return replace(squares, value=value, uncertainty=error)


def co_occurrence(surface: Surface | None, skin: Region | None, name: str) -> tuple[Measurement, ...]:
    """GLCM contrast and homogeneity (Haralick 1973), averaged over four angles, pairs inside the region only."""
    values: dict[tuple[str, int], float] = {}
    if surface is not None and skin is not None and skin.usable:
        levels = np.clip(surface.detail / np.float32(STEP) + LEVELS / 2, 0, LEVELS - 1).astype(np.uint8)
        # A pixel outside differs by more than any two levels do, from one inside as from another outside.
        pair = np.where(skin.mask, levels, np.uint8(3 * LEVELS)), np.where(skin.mask, levels, np.uint8(7 * LEVELS))
        squares = np.arange(LEVELS) ** 2
        for distance in DISTANCES:
            shares = _level_differences(*pair, distance)
            values["contrast", distance] = float((shares @ squares).mean())
            values["homogeneity", distance] = float((shares @ (1 / (1 + squares))).mean())
    return tuple(measure.measurement(name, values.get(key)) for key, measure in GLCM.items())


def _level_differences(one: NDArray[np.uint8], other: NDArray[np.uint8], distance: int) -> NDArray[np.float64]:
    """How the pairs of ``one`` and ``other`` (H, W) at ``distance`` are shared among level differences: (4 angles,
    LEVELS).

    Contrast and homogeneity see nothing of a pair but its difference, so its whole matrix need not be counted.
    """
    slant = round(distance * np.sqrt(0.5))
    shares = []
    for down, right in ((0, distance), (slant, slant), (distance, 0), (slant, -slant)):
        counts = _count_differences(*_overlap(one, other, down, right))
        shares.append(counts / max(counts.sum(), 1))
    return np.array(shares)


def _count_differences(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How often ``one`` and ``other``, (H, W) both, differ by 0, 1, … LEVELS − 1: (LEVELS,).

    Most neighbours are equal, and a counter that is raised again at once waits for itself: every fourth column has
    a counter of its own.
    """
    if not one.size:
        return np.zeros(LEVELS)
    apart = np.minimum(cv2.absdiff(one, other), 2 * LEVELS - 1) + _COUNTERS[: one.shape[1]]
    counts = cv2.calcHist([apart], [0], None, [256], [0, 256]).reshape(4, 2 * LEVELS)
    return np.asarray(counts[:, :LEVELS].sum(axis=0), np.float64)


def _overlap(
    one: NDArray[np.uint8], other: NDArray[np.uint8], down: int, right: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """``one``, and ``other`` so many pixels on, each cut to where both are."""
    height, width = one.shape
    here = one[: max(0, height - down), max(0, -right) : max(0, width - max(0, right))]
    return here, other[down:, max(0, right) : max(0, width - max(0, -right))]


def binary_patterns(surface: Surface | None, skin: Region | None, name: str) -> Measurement:
    """Entropy of uniform local binary patterns (Ojala 2002), P = 8, R = 1; at most log2(10) bits.

    Patterns know no contrast: on skin that is nearly even they are noise, and the value is None.
    """
    if surface is None or skin is None or (roughness(surface, skin, name).value or 0.0) < LEAST_ROUGHNESS:
        return LBP.measurement(name)
    codes = _pattern_codes(np.rint(surface.detail / np.float32(QUANTUM)))
    counts = cv2.calcHist([codes], [0], skin.mask.view(np.uint8), [1 << _NEIGHBOURS], [0, 1 << _NEIGHBOURS]).ravel()
    shares = np.bincount(_UNIFORM, weights=counts) / counts.sum(dtype=np.float64)
    present = shares[shares > 0]
    return LBP.measurement(name, float(-(present * np.log2(present)).sum()))


def _pattern_codes(grey: Floats) -> NDArray[np.uint8]:
    """The pattern of each pixel of ``grey`` (H, W), whole numbers: a bit for each neighbour that is not darker."""
    codes = np.zeros(grey.shape, np.uint8)
    for bit, kernel in enumerate(_KERNELS):
        codes |= (cv2.filter2D(grey, cv2.CV_32F, kernel) >= 0).view(np.uint8) << np.uint8(bit)
    return codes


def _neighbour_kernels() -> tuple[Floats, ...]:
    """A neighbour minus the centre, for each of eight on a circle; diagonal ones lie between four pixels."""
    whole, near = _FRACTION**2, round(_FRACTION * np.sqrt(0.5))
    far = _FRACTION - near
    straight = np.array([[0, 0, 0], [0, -whole, whole], [0, 0, 0]], np.float32)
    slanted = np.array([[0, far * near, near**2], [0, far**2 - whole, near * far], [0, 0, 0]], np.float32)
    return tuple(np.rot90(kernel, turns).copy() for turns in range(4) for kernel in (straight, slanted))


def _uniform_classes() -> NDArray[np.intp]:
    """The class of each 8-bit pattern: its number of ones, or 9 where it changes more than twice around the circle."""
    bits = (np.arange(1 << _NEIGHBOURS)[:, None] >> np.arange(_NEIGHBOURS)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), _NEIGHBOURS + 1)


_COUNTERS = np.resize(np.arange(0, 256, 2 * LEVELS, dtype=np.uint8), SIDE)  # of each column
_KERNELS = _neighbour_kernels()
_UNIFORM = _uniform_classes()

"""Finds a colour checker or a grey card in a photo, and sets the photo's exposure and white balance by it.

Whatever it is set by, skin and reference must be in the same light. Then the light, the exposure and the camera's white
balance change both alike, and the known reflectance of the reference says what they did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np

from ml.skin.colour import shrink, srgb_to_linear
from ml.values import RGB, Doubles, Floats, Mask

ReferenceKind = Literal["colour_checker", "grey_card", "white_point"]
KINDS: tuple[ReferenceKind, ...] = get_args(ReferenceKind)
#: kind → reflectance, 0–1, if the request states none. That of a checker's patches is known.
REFLECTANCE = {"grey_card": 0.18, "white_point": 0.90}

#: sRGB codes under D65 of the checker's six grey patches, from white to black (X-Rite, ColorChecker Classic)
GREYS = np.array([243, 200, 160, 122, 85, 52], np.uint8)
_FIRST_GREY = 18  # number of the white patch
_CHECKER_SIDE = 960  # long side of the copy in which a checker is searched for; 50 to 100 ms
_LONGEST = 3  # long side of such a copy over the short one; the detector enlarges a short side to 1,000 px
_CARD_SIDE = 256  # … a grey card; a few ms
_CLIPPED, _BLACK = 244, 5  # a mean code beyond these is not measured
_LEAST_GREYS = 3
_FRAME = 1.2  # side of the checker with its frame, relative to that of its patches

_SMOOTH = 11  # side in pixels of the window in which the smoothest places are found
_SEEDS = 24  # number of patches that are grown
_ALIKE = (0.06, 0.03)  # difference of ln(code) within a card; the smaller one if skin has almost its colour
_LEAST_CARD, _MOST_CARD = 0.02, 0.5  # share of the photo
_RING = (7, 11)  # inner and outer width in pixels, twice, of the ring in which the photo differs from the card
_EDGED = 0.7  # share of the ring
_RECTANGULAR = 0.88  # share of its smallest rectangle that the card fills


@dataclass(frozen=True)
class Reference:
    """What the request states of a reference in the photo.

    ``reflectance``: 0–1; unused for a checker. ``code``: of a white point, the sRGB codes (R, G, B) that the reference
    has in the photo.
    """

    kind: ReferenceKind
    reflectance: float = 0.18
    code: tuple[int, int, int] | None = None


@dataclass(frozen=True, eq=False)
class Calibration:
    """How a camera's linear sRGB becomes reflectance under D65: (``gains`` · linear) ** ``exponents``, (3,) both.
    ``card`` (h, w): where the reference lies, None if it was not searched for. ``kind``: what was used."""

    kind: ReferenceKind
    gains: Floats
    exponents: Floats
    card: Mask | None

    def apply(self, linear: Floats) -> Floats:
        """The reflectances (…, 3) of linear sRGB (…, 3)."""
        scaled = linear * self.gains
        return scaled if (self.exponents == 1).all() else np.asarray(scaled**self.exponents, np.float32)


def calibrate(rgb: RGB, stated: Reference, size: tuple[int, int]) -> Calibration | None:
    """The calibration by the ``stated`` reference in ``rgb`` (H, W, 3); None if it is not found, too bright or too
    dark. ``size``: (h, w) of the calibration's mask."""
    if stated.kind == "colour_checker":
        return _by_checker(rgb, size)
    if stated.kind == "grey_card":
        card = find_card(rgb)
        if card is None:
            return None
        small = shrink(rgb, _CARD_SIDE)
        inside = _inner(card)
        return _by_one(stated, small[inside].mean(axis=0), _resized(card, size)) if inside.any() else None
    return None if stated.code is None else _by_one(stated, np.array(stated.code, np.float64), None)


def _by_one(stated: Reference, code: Doubles, card: Mask | None) -> Calibration | None:
    """Von Kries scaling by one neutral reference, whose mean sRGB ``code`` is (3,)."""
    if code.max() >= _CLIPPED or code.min() <= _BLACK:
        return None
    gains = np.asarray(stated.reflectance / _linear(code), np.float32)
    return Calibration(stated.kind, gains, np.ones(3, np.float32), card)


def _by_checker(rgb: RGB, size: tuple[int, int]) -> Calibration | None:
    """A power law a channel, fitted to the logarithms of the six greys. So it also removes the contrast of the camera's
    tone curve."""
    small = shrink(rgb, _CHECKER_SIDE)
    if max(small.shape[:2]) > _LONGEST * min(small.shape[:2]):
        return None
    detector = cv2.mcc.CCheckerDetector.create()
    detector.setColorChartType(cv2.mcc.MCC24)
    try:
        if not detector.process(np.ascontiguousarray(small[..., ::-1]), 1):
            return None
    except cv2.error:  # raised for some photos in which what looks like a checker is not one
        return None
    found = detector.getBestColorChecker()
    codes = np.asarray(found.getChartsRGB(), np.float64)[:, 1].reshape(-1, 3)[_FIRST_GREY:]
    box = np.asarray(found.getBox(), np.float64)
    box = box.mean(axis=0) + _FRAME * (box - box.mean(axis=0))
    card = cv2.fillConvexPoly(np.zeros(small.shape[:2], np.uint8), np.asarray(np.rint(box), np.int32), 1) > 0
    true = srgb_to_linear(GREYS[:, None])[:, 0]
    fits = [_power(codes[:, channel], true) for channel in range(3)]
    if any(fit is None for fit in fits):
        return None
    gains, exponents = np.array(fits, np.float32).T
    return Calibration("colour_checker", gains, exponents, _resized(card, size))


def _power(codes: Doubles, true: Floats) -> tuple[float, float] | None:
    known = (codes < _CLIPPED) & (codes > _BLACK)
    if known.sum() < _LEAST_GREYS:
        return None
    weights = codes[known]  # noise is about the same in all codes, so its logarithm is larger in dark ones
    slope, offset = np.polyfit(np.log(_linear(codes[known])), np.log(true[known]), 1, w=weights)
    return float(np.exp(offset / slope)), float(slope)


def _linear(codes: Doubles) -> Doubles:
    """Linear light of fractional sRGB ``codes`` (n,), from 0 to 255."""
    table = srgb_to_linear(np.arange(256, dtype=np.uint8)[:, None])[:, 0]
    return np.asarray(np.interp(codes, np.arange(256), table), np.float64)


def find_card(rgb: RGB) -> Mask | None:
    """The pixels (h, w) of a grey card in a copy of ``rgb`` (H, W, 3) of 256 px; None if there is none.

    A card is a patch of one colour that fills its smallest enclosing rectangle and 2% to 50% of the photo. Patches grow
    from the smoothest places of the photo. Of several cards it is the most even one. Its colour does not matter,
    because a grey card in lamp light is as orange as skin.
    """
    logs = np.log(np.maximum(cv2.GaussianBlur(shrink(rgb, _CARD_SIDE), (0, 0), 1.5).astype(np.float32), 1))
    window = (_SMOOTH, _SMOOTH)
    rough = (cv2.blur(logs * logs, window) - cv2.blur(logs, window) ** 2).max(axis=2)
    best, least = None, np.inf
    for _ in range(_SEEDS):
        row, column = np.unravel_index(rough.argmin(), rough.shape)
        patches = [_grown(logs, (int(column), int(row)), off) for off in _ALIKE]
        rough[patches[0] | (rough == rough[row, column])] = np.inf
        for patch, off in zip(patches, _ALIKE, strict=True):
            if _is_rectangle(patch) and _has_edge(logs, patch, off):
                spread = float(logs[patch].std(axis=0).max())
                if spread < least:
                    best, least = patch, spread
    return best


def _grown(logs: Floats, seed: tuple[int, int], most: float) -> Mask:
    """The connected pixels (h, w) around ``seed`` (x, y) whose ln(code) (h, w, 3) differs from the seed's by at
    ``most``."""
    grown = np.zeros((logs.shape[0] + 2, logs.shape[1] + 2), np.uint8)
    off = (most,) * 3
    cv2.floodFill(logs, grown, seed, 0, off, off, 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | 1 << 8)
    return grown[1:-1, 1:-1] > 0


def _is_rectangle(patch: Mask) -> bool:
    pixels = int(np.count_nonzero(patch))
    if not _LEAST_CARD <= pixels / patch.size <= _MOST_CARD:
        return False
    outline, _ = cv2.findContours(patch.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    _, (wide, high), _ = cv2.minAreaRect(np.concatenate(outline))
    return pixels >= _RECTANGULAR * (wide + 1) * (high + 1)


def _has_edge(logs: Floats, patch: Mask, most: float) -> bool:
    """Whether the photo changes at the outline of a ``patch`` (h, w) whose ln(code) differ by at ``most``. Where it
    changes slowly, as on skin in light that falls off, a patch ends without an edge."""
    near, far = (cv2.dilate(patch.view(np.uint8), np.ones((side, side), np.uint8)) > 0 for side in _RING)
    off = np.abs(logs[far & ~near] - logs[patch].mean(axis=0)).max(axis=1)
    return bool(len(off) and (off > 2 * most).mean() >= _EDGED)


def _inner(mask: Mask) -> Mask:
    return cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _resized(card: Mask, size: tuple[int, int]) -> Mask:
    """``card`` at ``size``, with a margin, so that no pixel of the card's rim counts as skin."""
    margin = max(3, round(0.03 * max(size)))
    larger = cv2.resize(card.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST)
    return cv2.dilate(larger, np.ones((margin, margin), np.uint8)) > 0

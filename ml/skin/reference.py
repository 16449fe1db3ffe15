"""Finds a colour checker or a grey card in a photo, and sets the photo's exposure and colours by it.

Skin and reference must be in the same light. Then light, exposure and the camera's white balance change both, and
the known reflectance of the reference shows how. A grey patch gives the factors of R, G and B. Coloured light changes
skin also by a matrix that depends on the light's temperature. The coloured patches of a checker show the temperature;
for a grey card, it is estimated from the card's colour in the photo. `params/reference.json` has the matrices and the
command that fits them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np

from ml.skin.colour import shrink, srgb_to_linear
from ml.values import RGB, Doubles, Floats, Mask

ReferenceKind = Literal["colour_checker", "grey_card", "white_point"]
KINDS: tuple[ReferenceKind, ...] = get_args(ReferenceKind)
#: kind → reflectance, 0–1, if the request states none. That of a checker's patches is known.
REFLECTANCE = {"grey_card": 0.18, "white_point": 0.90}

# fmt: off
#: sRGB codes (24, 3) under D65 of the ColorChecker Classic (X-Rite); the last six are grey, from white to black
PATCHES = np.array([
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170), (214, 126, 44),
    (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46), (56, 61, 150), (70, 148, 73),
    (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161), (243, 243, 242), (200, 200, 200), (160, 160, 160),
    (122, 122, 121), (85, 85, 85), (52, 52, 52),
], np.uint8)
# fmt: on
_SKIN, _GREYS = (0, 1), tuple(range(18, 24))  # numbers of patches
_LEAST_GREYS, _LEAST_COLOURED = 3, 4

_FACTS = json.loads((Path(__file__).parent / "params" / "reference.json").read_text(encoding="utf-8"))
_SHIFTS = np.linspace(-0.8, 3.0, 77)  # of lights that are tried, from blue to red, in 100 mired from D65
_TERMS = np.stack([_SHIFTS, _SHIFTS**2], axis=1)
_OF_PATCHES = np.eye(3) + np.tensordot(_TERMS, _FACTS["patches"], 1)  # (n, 3, 3) that undoes each light
_LOCUS = _TERMS @ _FACTS["locus"]  # ln(R/G) and ln(B/G) (n, 2) of each light
#: share of a light's matrix that is used if only its colour is known, because a camera may have corrected skin in part.
#: It takes most of the error in spectral light, and adds almost none where light only scales R, G and B.
_UNSURE_LIGHT = 0.6

_CHECKER_SIDE = 960  # long side of the copy in which a checker is searched for; 50 to 100 ms
_LONGEST = 3  # long side of such a copy over the short one; the detector enlarges a short side to 1,000 px
_CARD_SIDE = 256  # … a grey card; a few ms
_CLIPPED, _BLACK = 244, 5  # a mean code beyond these is not measured
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
    """How a camera's linear sRGB of skin becomes that under D65: (``gains`` · linear) ** ``exponents``, (3,) both,
    times ``matrix`` (3, 3), which keeps greys. ``card`` (h, w): where the reference lies, None if it was not searched
    for. ``kind``: what was used."""

    kind: ReferenceKind
    gains: Floats
    exponents: Floats
    matrix: Floats
    card: Mask | None

    def apply(self, linear: Floats) -> Floats:
        """The linear sRGB (…, 3) under D65 of a camera's linear sRGB (…, 3)."""
        scaled = linear * self.gains
        if (self.exponents != 1).any():
            scaled **= self.exponents
        return np.maximum(scaled @ self.matrix, 0)


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
    """The calibration by one neutral reference, whose mean sRGB ``code`` is (3,). The light is estimated from that
    colour. How much of the light's colour the camera has removed is unknown."""
    if code.max() >= _CLIPPED or code.min() <= _BLACK:
        return None
    seen = _linear(code)
    light = ((_LOCUS - np.log(seen[[0, 2]] / seen[1])) ** 2).sum(axis=1).argmin()
    gains = np.asarray(stated.reflectance / seen, np.float32)
    return Calibration(stated.kind, gains, np.ones(3, np.float32), _of_skin(_UNSURE_LIGHT * _SHIFTS[light]), card)


def _by_checker(rgb: RGB, size: tuple[int, int]) -> Calibration | None:
    """The calibration by a colour checker.

    A power law for each channel is fitted to the greys, which also removes the contrast of the camera's tone curve.
    Then the light is the one that explains the coloured patches best. In that light, the two patches with colours of
    skin are known too, and the power law is fitted again with them, because skin is to be measured."""
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
    codes = np.asarray(found.getChartsRGB(), np.float64)[:, 1].reshape(-1, 3)
    box = np.asarray(found.getBox(), np.float64)
    box = box.mean(axis=0) + _FRAME * (box - box.mean(axis=0))
    card = cv2.fillConvexPoly(np.zeros(small.shape[:2], np.uint8), np.asarray(np.rint(box), np.int32), 1) > 0
    true = srgb_to_linear(PATCHES).astype(np.float64)
    by_greys = _powers(codes, true, _GREYS)
    if by_greys is None:
        return None
    light = _light(codes, true, *by_greys)
    by_all = _powers(codes, true @ np.linalg.inv(_OF_PATCHES[light]), (*_SKIN, *_GREYS))
    gains, exponents = (np.asarray(of, np.float32) for of in by_all or by_greys)
    return Calibration("colour_checker", gains, exponents, _of_skin(float(_SHIFTS[light])), _resized(card, size))


def _powers(codes: Doubles, true: Doubles, patches: Sequence[int]) -> tuple[Doubles, Doubles] | None:
    """Gains and exponents (3,) that turn the linear light of the ``codes`` (24, 3) of some patches into ``true`` (24,
    3). None if too few are neither clipped nor black, or if lighter patches have darker codes."""
    gains, exponents = np.empty(3), np.empty(3)
    for channel in range(3):
        known = [one for one in patches if _BLACK < codes[one, channel] < _CLIPPED]
        if len(known) < _LEAST_GREYS:
            return None
        seen, wanted = codes[known, channel], true[known, channel]
        # noise is about the same in all codes, so its logarithm is larger in dark ones
        exponents[channel], offset = np.polyfit(np.log(_linear(seen)), np.log(wanted), 1, w=seen)
        if exponents[channel] <= 0:  # lighter patches are darker in the photo: what was found is no checker
            return None
        gains[channel] = np.exp(offset / exponents[channel])
    return gains, exponents


def _light(codes: Doubles, true: Doubles, gains: Doubles, exponents: Doubles) -> int:
    """The number of the light in which the coloured patches are seen as ``codes`` (24, 3); that of D65 if too few are
    neither clipped nor black."""
    coloured = [one for one in range(len(codes)) if one not in _GREYS]
    known = [one for one in coloured if codes[one].min() > _BLACK and codes[one].max() < _CLIPPED]
    if len(known) < _LEAST_COLOURED:
        return int(np.abs(_SHIFTS).argmin())
    seen = (_linear(codes[known]) * gains) ** exponents
    return int(((seen @ _OF_PATCHES - true[known]) ** 2).sum(axis=(1, 2)).argmin())


def _of_skin(shift: float) -> Floats:
    """The matrix (3, 3) that undoes what a light does to skin beyond white balance."""
    return np.asarray(np.eye(3) + np.tensordot([shift, shift**2], _FACTS["skin"], 1), np.float32)


def _linear(codes: Doubles) -> Doubles:
    """Linear light of fractional sRGB ``codes`` of any shape, from 0 to 255."""
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

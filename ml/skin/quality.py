"""How good a photo is to measure on, with reasons and advice. It warns; it does not turn photos away.

Each aspect is graded 0 (useless) to 1 (fine) on a linear ramp between two marks, sharpness on a logarithmic one.
The score is 100 · Π gradeᵢ^weightᵢ, so that one bad aspect cannot hide behind good ones, and an aspect is
reported as a problem exactly where its grade is below one half. Marks were set on clinical and dermatoscopic
photos and on blurred, darkened and tinted copies of them, and on all ten Monk tones: no mark asks skin itself to
be bright. A colour cast shows only where it is strong: a photo filled with skin has no grey to judge by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import extremes, illuminant, working_copy
from ml.skin.hues import has_colours
from ml.skin.ranks import percentiles
from ml.skin.regions import deviation
from ml.skin.segmentation import coverage, skin_mask
from ml.values import RGB, Mask, Problem, Quality

Floats = NDArray[np.float32]

LEAST_CONTRAST = 4.0  # grey codes between the 1st and 99th percentile: below, nothing is there to be measured
_GRADE_FLOOR = 0.01
_MIN_COVERAGE = 0.05  # with less skin than this, the whole photo is judged


@dataclass(frozen=True)
class _Aspect:
    weight: float
    problem: Problem


def _aspect(weight: float, code: str, message: str, advice: str) -> _Aspect:
    return _Aspect(weight, Problem(code, message, advice))


_ASPECTS = (
    _aspect(0.30, "too_blurry", "The photo is blurred.", "Hold still, tap to focus, and keep 10–20 cm away."),
    _aspect(0.20, "too_dark", "The photo is too dark to show colours.", "Use daylight or a brighter room."),
    _aspect(0.20, "too_bright", "The photo is overexposed.", "Turn off the flash or move out of direct light."),
    _aspect(
        0.15,
        "clipped",
        "Part of the skin is so bright that its colour is lost.",
        "Avoid glare: tilt the camera slightly, or turn off the flash.",
    ),
    _aspect(
        0.10,
        "colour_cast",
        "The light has a strong colour, so skin colours cannot be trusted.",
        "Use daylight or plain white light, and no colour filter.",
    ),
    _aspect(
        0.10,
        "low_resolution",
        "The photo has few pixels, so fine detail is missing.",
        "Send the original photo, at least 400 pixels on its shorter side.",
    ),
    _aspect(
        0.30,
        "no_colour",
        "The photo is black and white, or tinted in one colour.",
        "Send a colour photo, without a filter, to get skin tone and measurements.",
    ),
    _aspect(0.15, "little_skin", "Little skin was found in the photo.", "Move closer, so that skin fills it."),
)
_NO_CONTRAST = Problem("no_contrast", "The photo is one even area: nothing can be measured.", "Take the photo again.")

#: of a photo whose face was found only after the photo was turned (ml.models.face_search)
TURNED = Problem(
    "turned_photo",
    "The face lies on its side or upside down in this photo.",
    "It was found all the same. If the zones do not fit, turn the photo upright and send it again.",
)


def assess(rgb: RGB, width: int, height: int, mask: Mask | None = None, light: Floats | None = None) -> Quality:
    """Judge ``rgb`` (H, W, 3), decoded from an upright original of ``width`` × ``height`` pixels.

    ``mask`` and ``light``: the skin and the `ml.skin.colour.illuminant` (3,) of its working copy, where these are
    already known. ``usable`` is False, and the score 0, only for an image without contrast. ``colours`` is False for
    one in black and white, or in one hue.
    """
    copy = working_copy(rgb)
    skin = skin_mask(copy) if mask is None else mask
    grey = np.asarray(cv2.cvtColor(copy, cv2.COLOR_RGB2GRAY), np.uint8)
    grades = {
        "too_blurry": _log_ramp(sharpness(grey, _judged(skin)), 3, 30),
        "low_resolution": _ramp(min(width, height), 100, 400),
        "little_skin": _ramp(coverage(skin), 0.0, 0.30),
        "no_colour": 1.0,
        **_light(copy, _judged(skin), illuminant(copy) if light is None else light),
    }
    dark, bright = percentiles(grey, 1, 99)
    if bright - dark < LEAST_CONTRAST:
        return Quality(False, 0.0, (_NO_CONTRAST, *_problems(grades)))
    colours = has_colours(copy)
    if not colours:  # a tint is no light, and skin is found by its colours
        grades |= {"no_colour": 0.0, "colour_cast": 1.0, "little_skin": 1.0}
    score = 100.0
    for aspect in _ASPECTS:
        score *= max(grades[aspect.problem.code], _GRADE_FLOOR) ** aspect.weight
    return Quality(True, round(score, 1), _problems(grades), colours)


def _problems(grades: Mapping[str, float]) -> tuple[Problem, ...]:
    return tuple(aspect.problem for aspect in _ASPECTS if grades[aspect.problem.code] < 0.5)


def sharpness(grey: NDArray[np.uint8], mask: Mask) -> float:
    """Variance of the Laplacian in ``mask``, as at a mean grey of 128, so that dark skin is not called blurred.

    ``grey`` (H, W) is a working copy's. A smaller photo is not enlarged: its few pixels are a problem of their own.
    """
    inside = mask.view(np.uint8)
    edges = np.asarray(cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F), np.float32)
    mean = max(cv2.sumElems(cv2.copyTo(grey, inside))[0] / cv2.countNonZero(inside), 1.0)
    return (deviation(edges, inside) * 128 / mean) ** 2


def _light(rgb: RGB, judged: Mask, light: Floats | None) -> dict[str, float]:
    """Grades of exposure, clipping and colour of the ``light`` (3,)."""
    lowest, highest = extremes(rgb)
    clipped = np.count_nonzero((highest >= 254) & judged) / np.count_nonzero(judged)
    return {
        "too_dark": _ramp(percentiles(highest, 90)[0], 16, 48),
        "too_bright": 1 - _ramp(percentiles(lowest, 50)[0], 225, 253),
        "clipped": 1 - _ramp(clipped, 0.02, 0.18),
        "colour_cast": _neutrality(light),
    }


def _neutrality(light: Floats | None) -> float:
    """1 where the light's ln(R/G) and ln(G/B) could be skin of any tone under a fair light, falling outside.

    Skin alone pulls the estimate up to about 1 in both, so the range is wide and leans to warm.
    """
    if light is None:
        return 1.0
    red, green, blue = np.log(light)
    outside = max(0.0 - (red - green), (red - green) - 1.0, -0.5 - (green - blue), (green - blue) - 0.9)
    return 1 - _ramp(float(outside), 0.0, 0.4)


def _judged(skin: Mask) -> Mask:
    return skin if coverage(skin) >= _MIN_COVERAGE else np.ones_like(skin)


def _ramp(value: float, bad: float, good: float) -> float:
    """0 at or below ``bad``, 1 at or above ``good``, straight between."""
    return min(1.0, max(0.0, (value - bad) / (good - bad)))


def _log_ramp(value: float, bad: float, good: float) -> float:
    return _ramp(float(np.log(max(value, 1e-6))), float(np.log(bad)), float(np.log(good)))

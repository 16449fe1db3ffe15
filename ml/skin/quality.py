"""The quality of a photo for measuring, with problems and advice. A bad photo is not refused.

Each aspect has a grade from 0 (useless) to 1 (good), linear between two limits; sharpness is logarithmic. The score is
100 · Π gradeᵢ^weightᵢ, so that good aspects cannot compensate a bad one. An aspect with a grade below .5 is a problem.
The limits were chosen on clinical and dermatoscopic photos, on blurred, darkened and tinted copies of them, and on all
ten Monk tones, so that dark skin is not a problem. Only a strong colour cast is recognised, because a photo filled with
skin has no grey as a reference.

In a photo in black and white, sepia or another tint, the hue depends on lightness alone. So chroma is fitted as a cubic
of luma, and the residual is scaled to a luma of 128, because the chroma of dark skin is smaller. In photos of skin the
residual is several codes; in tinted photos it is little more than compression noise. LEAST_SPREAD separates the two;
``python -m research.hues DATA`` prints both. An even patch of skin has one hue too, so a photo that is not grey counts
as tinted only if it has light and dark parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.skin.colour import extremes
from ml.skin.declaration import Measure
from ml.skin.frame import MIN_COVERAGE, Frame
from ml.skin.regions import deviation, percentiles
from ml.skin.segmentation import coverage
from ml.values import RGB, Bytes, Floats, Mask, Problem, Quality

LEAST_CONTRAST = 4.0  # grey codes between the 1st and 99th percentile; with less, nothing can be measured
_GRADE_FLOOR = 0.01

#: smallest 90th percentile of the residual, in codes of chroma at a luma of 128, of a photo with colours
LEAST_SPREAD = 1.0
_BLOCK = 16  # side in pixels of the blocks that are averaged; JPEG stores chroma in blocks of 16
_LEAST_BLOCKS = 100
_TOO_FEW = 40
_DARK, _BRIGHT = 8, 250  # darker or brighter pixels have hardly any chroma
_ROUNDS = 4
_LEAST_RANGE = 0.07  # standard deviation of luma over its mean; a photo with less is even, and not called tinted
_GREY = 4.0  # codes of chroma at a luma of 128; a photo whose 99th percentile is lower is grey
_MIDDLE = 128
_NO_CHROMA = 127.5  # OpenCV puts grey at half of the range
_CODING_NOISE = 10  # codes of luma; below, most of the chroma is rounding


#: code → weight, message and advice
_ASPECTS = {
    "too_blurry": (0.30, "The photo is blurred.", "Hold still and tap to focus."),
    "too_dark": (0.20, "The photo is too dark to show colours.", "Use daylight or a brighter room."),
    "too_bright": (0.20, "The photo is overexposed.", "Turn off the flash or move out of direct light."),
    "clipped": (
        0.15,
        "Part of the skin is so bright that its colour is lost.",
        "Avoid glare: tilt the camera slightly, or turn off the flash.",
    ),
    "colour_cast": (
        0.10,
        "The light has a strong colour, so skin colours cannot be trusted.",
        "Use daylight or plain white light, and no colour filter.",
    ),
    "low_resolution": (
        0.10,
        "The photo has few pixels, so fine detail is missing.",
        "Send the original photo, at least 400 pixels on its shorter side.",
    ),
    "no_colour": (
        0.30,
        "The photo is black and white, or tinted in one colour.",
        "Send a colour photo, without a filter, to get skin tone and measurements.",
    ),
    "little_skin": (0.15, "Little skin was found in the photo.", "Move closer, so that skin fills it."),
}
_NO_CONTRAST = Problem("no_contrast", "The photo is one even area: nothing can be measured.", "Take the photo again.")

#: the problem of a photo whose face was found only after the photo was turned (ml.models.face_search)
TURNED = Problem(
    "turned_photo",
    "The face lies on its side or upside down in this photo.",
    "The face was found anyway. If its zones are wrong, turn the photo upright and send it again.",
)

#: every problem that may be found here, or where faces are searched for
PROBLEMS = (*(Problem(code, *texts) for code, (_, *texts) in _ASPECTS.items()), _NO_CONTRAST, TURNED)


def assess(frame: Frame) -> Quality:
    """The quality of a photo.

    ``usable`` is False, and the score 0, only for a photo without contrast. ``colours`` is False for a photo in black
    and white or in one hue.
    """
    copy, skin = frame.copy, frame.skin_masks[0]
    grey = np.asarray(cv2.cvtColor(copy, cv2.COLOR_RGB2GRAY), np.uint8)
    judged = skin if coverage(skin) >= MIN_COVERAGE else np.ones_like(skin)
    grades = {
        "too_blurry": _log_ramp(sharpness(grey, judged), 3, 30),
        "low_resolution": _ramp(min(frame.width, frame.height), 100, 400),
        "little_skin": _ramp(coverage(skin), 0.0, 0.30),
        "no_colour": 1.0,
        **_light(copy, judged, frame.light),
    }
    dark, bright = percentiles(grey, 1, 99)
    if bright - dark < LEAST_CONTRAST:
        return Quality(False, 0.0, (_NO_CONTRAST, *_problems(grades)))
    colours = has_colours(copy)
    if not colours:  # a tint is not the light's colour, and skin cannot be found without colours
        grades |= {"no_colour": 0.0, "colour_cast": 1.0, "little_skin": 1.0}
    score = 100.0
    for code, (weight, _, _) in _ASPECTS.items():
        score *= max(grades[code], _GRADE_FLOOR) ** weight
    return Quality(True, round(score, 1), _problems(grades), colours)


def _problems(grades: Mapping[str, float]) -> tuple[Problem, ...]:
    return tuple(problem for problem in PROBLEMS if grades.get(problem.code, 1.0) < 0.5)


def sharpness(grey: Bytes, mask: Mask) -> float:
    """The variance of the Laplacian in ``mask``, scaled to a mean grey of 128, so that dark skin does not count as
    blurred. ``grey`` (H, W) is that of the working copy."""
    inside = mask.view(np.uint8)
    edges = np.asarray(cv2.Laplacian(grey.astype(np.float32), cv2.CV_32F), np.float32)
    mean = max(cv2.sumElems(cv2.copyTo(grey, inside))[0] / cv2.countNonZero(inside), 1.0)
    return (deviation(edges, inside) * 128 / mean) ** 2


def _light(rgb: RGB, judged: Mask, light: Floats | None) -> dict[str, float]:
    """The grades, 0–1, of exposure, clipping and the colour of the ``light`` (3,)."""
    lowest, highest = extremes(rgb)
    clipped = np.count_nonzero((highest >= 254) & judged) / np.count_nonzero(judged)
    return {
        "too_dark": _ramp(percentiles(highest, 90)[0], 16, 48),
        "too_bright": 1 - _ramp(percentiles(lowest, 50)[0], 225, 253),
        "clipped": 1 - _ramp(clipped, 0.02, 0.18),
        "colour_cast": _neutrality(light),
    }


def _neutrality(light: Floats | None) -> float:
    """The grade of the light's colour: 1 if its ln(R/G) and ln(G/B) are possible for skin of any tone in good light.

    Skin that fills the photo raises both to about 1, so the range is wide and includes warm colours.
    """
    if light is None:
        return 1.0
    red, green, blue = np.log(light)
    outside = max(0.0 - (red - green), (red - green) - 1.0, -0.5 - (green - blue), (green - blue) - 0.9)
    return 1 - _ramp(float(outside), 0.0, 0.4)


def _ramp(value: float, bad: float, good: float) -> float:
    """0 at or below ``bad``, 1 at or above ``good``, linear between."""
    return min(1.0, max(0.0, (value - bad) / (good - bad)))


def _log_ramp(value: float, bad: float, good: float) -> float:
    return _ramp(float(np.log(max(value, 1e-6))), float(np.log(bad)), float(np.log(good)))


def has_colours(copy: RGB) -> bool:
    """Whether the working copy ``copy`` (H, W, 3) shows more than one hue. True if that is unknown."""
    blocks = _blocks(copy)
    if blocks is None:
        return True
    luma, chroma = blocks
    is_grey = np.percentile(np.hypot(*chroma.T) * _scale(luma), 99) < _GREY
    is_even = luma.std() < _LEAST_RANGE * luma.mean()
    return bool(not is_grey and (is_even or _spread(luma, chroma) >= LEAST_SPREAD))


def chroma_spread(copy: RGB) -> float | None:
    """How far the chroma of ``copy`` (H, W, 3) differs from a function of its luma: the 90th percentile over blocks, in
    codes of Cb and Cr at a luma of 128. None if too few blocks are between black and white."""
    blocks = _blocks(copy)
    return None if blocks is None else _spread(*blocks)


def _blocks(copy: RGB) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The luma (n,) and chroma (n, 2) of averaged blocks, in codes. None if too few are between black and white."""
    height, width = copy.shape[:2]
    block = max(1.0, min(_BLOCK, (height * width / _LEAST_BLOCKS) ** 0.5))
    size = max(1, round(width / block)), max(1, round(height / block))
    small = cv2.resize(copy.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    luma, red, blue = (np.asarray(one) * 255 for one in cv2.split(cv2.cvtColor(small / 255, cv2.COLOR_RGB2YCrCb)))
    seen = (luma > _DARK) & (luma < _BRIGHT)
    if np.count_nonzero(seen) < _TOO_FEW:
        return None
    return luma[seen], np.stack([red[seen], blue[seen]], axis=1) - _NO_CHROMA


def _spread(luma: NDArray[Any], chroma: NDArray[Any]) -> float:
    return float(np.percentile(_residuals(luma / 127.5 - 1, chroma) * _scale(luma), 90))


def _scale(luma: NDArray[Any]) -> NDArray[Any]:
    """The factor that scales chroma at ``luma`` to chroma at a luma of 128."""
    return np.asarray((_MIDDLE + _CODING_NOISE) / (luma + _CODING_NOISE))


def _residuals(lightness: NDArray[Any], chroma: NDArray[Any]) -> NDArray[Any]:
    """The distances (n,) of ``chroma`` (n, 2) from a cubic of ``lightness`` (n,), by least absolute distances."""
    powers = np.vander(lightness, 4)
    weight = np.ones(len(lightness))
    for _ in range(_ROUNDS):
        fit = np.linalg.lstsq(powers * weight[:, None], chroma * weight[:, None], rcond=None)[0]
        distance = np.hypot(*(chroma - powers @ fit).T)
        weight = 1 / np.sqrt(np.maximum(distance, 0.5))
    return np.asarray(distance)


MEASURES = (
    Measure(
        name="skin_coverage",
        label="Skin in the photo",
        unit="share of the photo",
        direction="more skin",
        description="How much of the photo shows skin. The measures of skin are taken there.",
        method="chromaticity segmentation",
        measured=lambda part: (coverage(part.skin), None),
        regions=("photo",),
        standard_in=(),
    ),
)

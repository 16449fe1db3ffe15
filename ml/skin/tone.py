"""The colour and tone of skin: mean colours, evenness, group of tone, typology angle (ITA), Fitzpatrick and Monk.

A photo shows its light as much as the skin: the typology angles of two photos of one person differ by tens of degrees.
So without a reference in the photo, an answer has the group of the photo's colours, and the groups that another photo
of the same person may show. With a reference (ml.skin.reference), exposure and white balance are known, and the angle
is a measurement. `params/tone.json` has the fitted constants, the commands that fit them, and their figures.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ml.imaging.encodings import linear_to_srgb
from ml.skin.declaration import Measure
from ml.skin.frame import Frame, Part, Subject, once
from ml.skin.reference import Calibration, calibrate
from ml.skin.regions import UNKNOWN, Region, Value, deviation, median, standard_error
from ml.values import Doubles, Floats, Mask, Tone

# Lower limit in degrees of each category but the last. Chardon et al. (1991), extended by Del Bino et al. (2006).
CATEGORIES = (
    (55.0, "very light"),
    (41.0, "light"),
    (28.0, "intermediate"),
    (10.0, "tan"),
    (-30.0, "brown"),
)
DARKEST = "dark"

#: from light to dark; each has two of the categories above
GROUPS = ("light", "medium", "dark")
_GROUP_LIMITS = (41.0, 10.0)  # lower limit in degrees of each group but the last

# Lower limit of Fitzpatrick types 1 to 5: the cut-offs of Kinyanjui et al. (2020), as used by Groh et al. (2021).
FITZPATRICK = (55.0, 41.0, 28.0, 19.0, 10.0)

# The nearest of the ten Monk swatches is a bad estimate: 1 to 3 are almost equal, 5 and 7 differ by 61° of ITA, and the
# light swatches are far lighter than skin in photos, so that everyone would be 5 or above. So a proportional-odds model
# (McCullagh 1980) estimates the tone: 1 plus the number of cuts that the score exceeds. `python -m research.monk` fits
# and prints weights and cuts.
_MONK_WEIGHTS = (-0.123, -0.108, 0.150)
_MONK_CUTS = (-14.01, -12.9, -11.84, -10.66, -8.47, -4.73, -0.39, 4.35, 7.58)
_BRIGHT = 55.0  # L*: above, exposure moves L* more than tone does

_FACTS = json.loads((Path(__file__).parent / "params" / "tone.json").read_text(encoding="utf-8"))
_WEIGHTS, _OFFSET = _FACTS["group"]["weights"], _FACTS["group"]["offset"]
_SPREAD, _ANGLE_SPREAD = _FACTS["group"]["spread"], _FACTS["angle"]["spread"]
_LAB_ERRORS = _FACTS["reference"]["lab_error"]
_MOST_LOST = 0.05  # share of the measured skin whose colour may be lost
_MOST_LOST_SEEN = 0.25  # … of all skin
MOST_UNSURE = 20.0  # degrees: an angle that is less certain spans most categories, and is not stated
_WHITEST, _BLACKEST = 250, 2  # the colour of a pixel with a channel at such a code, or beyond, is lost

CAVEAT = (
    "The group is that of the skin's colour in this photo, which depends on light, exposure and camera. The range is "
    "the groups that another photo of the same person may show. For a measurement, put a colour checker or a grey card "
    "beside the skin, and state it with the photo."
)
FULL_CAVEAT = (
    f"{CAVEAT} Angle, Fitzpatrick type and Monk tone say what the colours of this photo would mean in neutral light. "
    "They are not a typing of the person."
)
MEASURED = (
    "Measured with a reference in the photo, which sets exposure and white balance. It holds if reference and skin are "
    "in the same light. The Fitzpatrick type is an estimate from the angle by the cut-offs of Kinyanjui and Groh, the "
    "Monk tone by a model of angle and lightness; a person's own answer may differ."
)
NOT_FOUND = "The stated reference was not found, or it is too bright or too dark in the photo."
OVEREXPOSED = "Too much of the skin is overexposed or black in the photo, so its tone cannot be measured."
TOO_UNSURE = (
    "The reference was found, but the colour of the skin lies near L* = 50 and b* = 0, where the typology angle is "
    "not certain to 20°. So it is not stated."
)
TOO_LITTLE = "Too little skin was found in the photo to estimate its tone."
NO_FACE = (
    "The face was not found, so its skin cannot be separated from the background, and no tone is estimated. Send a "
    "photo that shows the whole face, upright and in even light."
)
NOT_YELLOW = "The skin has no yellow in this light, so the typology angle has no meaning. Use neutral light."


@dataclass(frozen=True)
class TypologyAngle:
    """ITA in ``degrees``, −180 to 180, and the mean ``lightness`` (L*) and ``yellowness`` (b*) of the skin that it was
    measured on. ``uncertainty``: its standard error in degrees; None with too few blocks."""

    degrees: float
    lightness: float
    yellowness: float
    uncertainty: float | None


@once
def photographed(part: Part) -> TypologyAngle | None:
    """The angle in the photo's own light. None for a portrait whose face was not found."""
    if part.lost:
        return None
    return typology_angle(part.frame.lab[..., 0], part.frame.lab[..., 2], part.region)


@once
def balanced(part: Part) -> TypologyAngle | None:
    """The angle after white balance by the photo's own colours. If it differs much from the photographed angle, trust
    neither."""
    return None if part.lost else typology_angle(*part.frame.balanced, part.region)


def tone_of(subject: Subject, *, full: bool = False) -> Tone:
    """The tone of a subject's skin; see ``ml.values.Tone``. ``full``: without a
    reference too, with angle, types and Monk tone.

    Every estimate is None, and the caveat says why, if there is too little skin, if a portrait's face was not found, or
    if the skin's b* is not positive, because the angle is defined for yellowish colours only.
    """
    stated, problem = subject.frame.reference, ""
    if stated is not None:
        frame = subject.frame
        calibration = calibrate(frame.rgb, stated, (frame.copy.shape[0], frame.copy.shape[1]))
        measured = NOT_FOUND if calibration is None else _measured(subject, calibration)
        if isinstance(measured, Tone):
            return measured
        problem = f"{measured} "
    part = subject.whole
    angle = photographed(part)
    if angle is None:
        return Tone(problem + _why(part))
    tone = _by_colours(angle, balanced(part) if full else None, full=full)
    return replace(tone, caveat=problem + tone.caveat)


def _why(part: Part) -> str:
    """Why a part has no angle."""
    return NO_FACE if part.lost else NOT_YELLOW if part.region.usable else TOO_LITTLE


def _by_colours(angle: TypologyAngle, corrected: TypologyAngle | None, *, full: bool) -> Tone:
    """The tone by the colours of a photo without a reference."""
    colour = colour_angle(angle.lightness, angle.yellowness)
    tone = Tone(CAVEAT, *_groups(colour, _SPREAD))
    if not full:
        return tone
    tone = _with_angle(tone, angle, _ANGLE_SPREAD)
    return replace(tone, caveat=FULL_CAVEAT, ita_corrected_deg=round(corrected.degrees, 2) if corrected else None)


def _measured(subject: Subject, calibration: Calibration) -> Tone | str:
    """The tone of the skin in calibrated colours, or why there is none. The skin is found in these colours too, because
    skin in coloured light may have no colour of skin."""
    copy, seen = subject.frame.copy, subject.whole.region.mask
    lost = (copy.max(axis=2) >= _WHITEST) | (copy.min(axis=2) <= _BLACKEST)
    if (lost & seen).sum() > _MOST_LOST_SEEN * seen.sum():
        return OVEREXPOSED
    frame = Frame(linear_to_srgb(calibration.apply(subject.frame.linear)))
    part = Subject(frame, subject.zones, portrait=subject.portrait).whole
    if part.lost:
        return NO_FACE
    mask = part.region.mask if calibration.card is None else part.region.mask & ~calibration.card
    region, (lightness, _, b) = Region(mask), np.moveaxis(frame.lab, -1, 0)
    angle = typology_angle(lightness, b, region)
    if angle is None:
        return NOT_YELLOW if region.usable else TOO_LITTLE
    used = typical_skin(lightness, b, mask)
    if (lost & used).sum() > _MOST_LOST * used.sum():
        return OVEREXPOSED
    spread = math.hypot(angle.uncertainty or 0.0, _angle_error(angle, *_LAB_ERRORS[calibration.kind]))
    if spread > MOST_UNSURE:
        return TOO_UNSURE
    tone = Tone(MEASURED, *_groups(angle.degrees, spread), reference=calibration.kind)
    return _with_angle(tone, angle, spread)


def _angle_error(angle: TypologyAngle, of_lightness: float, of_b: float) -> float:
    """The error of an angle in degrees, if L* and b* have these errors: to first order, by the derivatives of atan2. It
    is large near L* = 50 and b* = 0, where the angle has no meaning."""
    above, b = angle.lightness - 50, angle.yellowness
    return math.degrees(math.hypot(b * of_lightness, above * of_b) / max(above**2 + b**2, 1e-6))


def _with_angle(tone: Tone, angle: TypologyAngle, spread: float) -> Tone:
    """``tone`` with the ``angle`` ± ``spread`` in degrees, and the types and Monk tones at these angles. Types and
    tones have one step more to either side: on labelled photos, cut-offs of ITA are within one type of a person's
    answer only about half of the time (Groh et al. 2021)."""
    ita, ends = angle.degrees, (angle.degrees + spread, angle.degrees - spread)
    types, tones = ([of(one) for one in ends] for of in (fitzpatrick, lambda one: monk(one, angle.lightness)))
    return replace(
        tone,
        ita_deg=round(ita, 2),
        ita_uncertainty_deg=round(spread, 2),
        ita_category=category(ita),
        fitzpatrick_estimate=fitzpatrick(ita),
        fitzpatrick_range=(max(1, types[0] - 1), min(6, types[1] + 1)),
        monk_estimate=monk(ita, angle.lightness),
        monk_range=(max(1, tones[0] - 1), min(10, tones[1] + 1)),
    )


def colour_angle(lightness: float, b: float) -> float:
    """The colour of skin in a photo as an angle in degrees, from its mean L* and b*: a weighted sum of ln Y and
    ln(Y/Z).

    Weights: Fisher's discriminant between skin of 41° and 10° under D65 (ml.skin.optics), with the covariance within
    persons of real photos. On such skin it equals ITA. Between two photos of a person it differs half as much.
    """
    return float(np.dot(_WEIGHTS, colour_features(lightness, b)) + _OFFSET)


def colour_features(lightness: ArrayLike, b: ArrayLike) -> Doubles:
    """ln Y and ln(Y/Z) (2, …), relative to white, from L* and b* (…)."""
    y = (np.asarray(lightness, np.float64) + 16) / 116
    luminance, z = (np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) for f in (y, y - np.asarray(b) / 200))
    floor = 1e-4  # of a colour too dark or too blue for skin
    return np.stack([np.log(np.maximum(luminance, floor)), np.log(np.maximum(luminance, floor) / np.maximum(z, floor))])


def _groups(angle: float, spread: float) -> tuple[str, tuple[str, str]]:
    """The group of an ``angle``, and the groups at ``angle`` ± ``spread``, lightest first; degrees both."""
    return group_of(angle), (group_of(angle + spread), group_of(angle - spread))


def group_of(angle: float) -> str:
    """The group of an angle in degrees."""
    return GROUPS[sum(angle <= least for least in _GROUP_LIMITS)]


def are_alike(one: Tone, other: Tone) -> bool:
    """Whether two photos may show one person by their groups: the group of one is in the range of the other. True if a
    tone could not be estimated.

    Of pairs of phone photos, .00 are unlike if they show one lesion, .05 if they show two lesions of a patient, and
    only .10 if they show different patients (``python -m research.tone``).
    """
    return _holds(one, other) or _holds(other, one)


def _holds(one: Tone, other: Tone) -> bool:
    if one.group_range is None or other.group is None:
        return True
    lightest, darkest = map(GROUPS.index, one.group_range)
    return lightest <= GROUPS.index(other.group) <= darkest


def category(ita: float) -> str:
    """The category of an angle in degrees, as named by Chardon and Del Bino."""
    return next((name for least, name in CATEGORIES if ita > least), DARKEST)


def fitzpatrick(ita: float) -> int:
    """Fitzpatrick type 1–6 for an angle in degrees."""
    return 1 + sum(ita <= least for least in FITZPATRICK)


def monk(ita: float, lightness: float) -> int:
    """Monk tone 1–10 for an angle in degrees and L*."""
    score = sum(weight * of for weight, of in zip(_MONK_WEIGHTS, monk_features(ita, lightness), strict=True))
    return 1 + sum(score > cut for cut in _MONK_CUTS)


def monk_features(ita: float, lightness: float) -> tuple[float, float, float]:
    """The features of the Monk model: the angle in degrees, L*, and max(L* − 55, 0)."""
    return ita, lightness, max(lightness - _BRIGHT, 0.0)


def typology_angle(lightness: Floats, b: Floats, skin: Region) -> TypologyAngle | None:
    """ITA of ``skin`` from its ``lightness`` (L*) and ``b`` (b*), (H, W) both. Only pixels within one standard
    deviation of both medians count. None if the region is not usable, or if the mean b* is not positive."""
    if not skin.usable:
        return None
    typical = Region(typical_skin(lightness, b, skin.mask))
    (mean, means), (mean_b, means_b) = typical.means(lightness), typical.means(b)
    if mean_b <= 0:
        return None
    return TypologyAngle(float(_ita(mean, mean_b)), mean, mean_b, standard_error(_ita(means, means_b)))


def _ita(lightness: ArrayLike, b: ArrayLike) -> Doubles:
    """ITA in degrees, −180 to 180, from L* and b*."""
    return np.asarray(np.degrees(np.arctan2(np.asarray(lightness) - 50, b)))


def typical_skin(lightness: Floats, b: Floats, mask: Mask) -> Mask:
    """The skin within one standard deviation of the median L* and of the median b*, (H, W) all. If there is none, all
    skin."""
    typical = mask & _near_median(lightness, mask) & _near_median(b, mask)
    return typical if typical.any() else mask


def _near_median(values: Floats, mask: Mask) -> Mask:
    """Which of ``values`` (H, W) lie within one standard deviation of the median in ``mask`` (H, W)."""
    off = values - np.float32(median(values.ravel() if mask.all() else values[mask]))
    return np.asarray(np.abs(off, out=off) <= deviation(values, mask.view(np.uint8)))


def _measured_angle(angle: TypologyAngle | None) -> Value:
    return UNKNOWN if angle is None else (angle.degrees, angle.uncertainty)


def _evenness(part: Part) -> Value:
    return (part.region.deviation(part.frame.lab[..., 0]) if part.region.usable else None), None


_METHOD = "atan2(L* − 50, b*) of skin within ±1 SD of the median L* and b*"
MEASURES = (
    Measure(
        name="ita",
        label="Typology angle (ITA)",
        unit="°",
        direction="lighter skin",
        description="The individual typology angle: the lightness of the skin relative to its yellowness, in the "
        "photo's own light.",
        method=_METHOD,
        measured=lambda part: _measured_angle(photographed(part)),
        standard_in=(),
    ),
    Measure(
        name="ita_white_balanced",
        label="Typology angle, white-balanced",
        unit="°",
        direction="lighter skin",
        description="The individual typology angle after the colour of the light is removed. If it differs much from "
        "the angle in the photo's own light, trust neither.",
        method=f"{_METHOD}, after shades of grey (p = 6)",
        measured=lambda part: _measured_angle(balanced(part)),
        standard_in=(),
    ),
    Measure(
        name="lightness",
        label="Lightness",
        unit="L*",
        direction="lighter",
        description="The mean lightness of the skin, 0 (black) to 100 (white). It depends on light and exposure.",
        method="mean L*, CIELAB under D65",
        measured=lambda part: part.region.mean(part.frame.lab[..., 0]),
        regions=("skin", "face", "zone"),
        standard_in=(),
    ),
    Measure(
        name="redness",
        label="Redness",
        unit="a*",
        direction="redder",
        description="How far the mean colour of the skin lies from green towards red. It depends on the light.",
        method="mean a*, CIELAB under D65",
        measured=lambda part: part.region.mean(part.frame.lab[..., 1]),
        regions=("skin", "face", "zone"),
        standard_in=(),
    ),
    Measure(
        name="yellowness",
        label="Yellowness",
        unit="b*",
        direction="yellower",
        description="How far the mean colour of the skin lies from blue towards yellow. It depends on the light.",
        method="mean b*, CIELAB under D65",
        measured=lambda part: part.region.mean(part.frame.lab[..., 2]),
        standard_in=(),
    ),
    Measure(
        name="evenness",
        label="Evenness of tone",
        unit="L*",
        direction="less even",
        description="How much the lightness varies across the skin: a low value is even skin. Shading counts too.",
        method="standard deviation of L*; lower is more even",
        measured=_evenness,
        regions=("skin", "face", "zone"),
        standard_in=("face",),
        scored=True,
    ),
)

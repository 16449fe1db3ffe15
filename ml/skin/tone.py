"""The colour and tone of skin: mean colours, evenness, typology angle (ITA), Fitzpatrick type and Monk tone."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from ml.skin.declaration import Measure
from ml.skin.frame import Part, once
from ml.skin.regions import UNKNOWN, Region, Value, deviation, median, near_frame, standard_error
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

# Lower limit of Fitzpatrick types 1 to 5: the cut-offs of Kinyanjui et al. (2020), as used by Groh et al. (2021).
FITZPATRICK = (55.0, 41.0, 28.0, 19.0, 10.0)

# The nearest of the ten Monk swatches is a bad estimate: 1 to 3 are almost equal, 5 and 7 differ by 61° of ITA, and the
# light swatches are far lighter than skin in photos, so that everyone would be 5 or above. So a proportional-odds model
# (McCullagh 1980) estimates the tone: 1 plus the number of cuts that the score exceeds. `python -m research.monk` fits
# and prints weights and cuts.
_MONK_WEIGHTS = (-0.123, -0.108, 0.150)
_MONK_CUTS = (-14.01, -12.9, -11.84, -10.66, -8.47, -4.73, -0.39, 4.35, 7.58)
_BRIGHT = 55.0  # L*: above, exposure moves L* more than tone does

CAVEAT = (
    "Estimated from the colours of this photo, which depend on light, exposure and camera; not a clinical typing. "
    "The Fitzpatrick type follows the ITA cut-offs of Kinyanjui and Groh, which on labelled photos are within one type "
    "of a person's answer only about half of the time. The Monk tone follows a model of ITA and lightness."
)
TOO_LITTLE = "Too little skin was found in the photo to estimate its tone."
NO_FACE = (
    "The face was not found, so its skin cannot be told apart from the background, and no tone is estimated. Send a "
    "photo that shows the whole face, upright and in even light."
)
NOT_YELLOW = "The skin has no yellow in this light, so the typology angle has no meaning. Use neutral light."

# Thresholds for skin of two colours, such as skin with a large patch of vitiligo.
_LEAST_SHARE = 0.1  # share of the skin; a smaller patch hardly changes a median
_LEAST_GAP = 12.0  # L* between the two means
_CLEAR = 4.5  # least gap over the standard deviation within; evenly falling light has 3.5 (a uniform distribution)
_STEP = 3  # every third pixel is sampled


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
    """The angle after white balance. If it differs much from the photographed angle, trust neither."""
    return None if part.lost else typology_angle(*part.frame.balanced, part.region)


def tone_of(part: Part) -> Tone:
    """The tone of a part; see ``ml.values.Tone``.

    Every estimate is None, and the caveat says why, if there is too little skin, if a portrait's face was not found, or
    if the skin's b* is not positive, because the angle is defined for yellowish colours only.
    """
    if part.lost:
        return Tone(None, None, None, None, NO_FACE)
    angle = photographed(part)
    if angle is None:
        return Tone(None, None, None, None, NOT_YELLOW if part.region.usable else TOO_LITTLE)
    return tone_at(angle, balanced(part))


def tone_at(angle: TypologyAngle, corrected: TypologyAngle | None = None) -> Tone:
    """The tone for an ``angle``. ``corrected`` is the angle after white balance.

    A range is one step to either side, because of the errors on labelled photos (see ``CAVEAT``). It is one step wider
    towards the estimate for the corrected angle if that is further away, because then the light is in doubt.
    """
    ita, other = angle.degrees, corrected or angle
    skin_type, step = fitzpatrick(ita), monk(ita, angle.lightness)
    return Tone(
        ita_deg=round(ita, 2),
        ita_category=category(ita),
        fitzpatrick_estimate=skin_type,
        monk_estimate=step,
        caveat=CAVEAT,
        ita_corrected_deg=None if corrected is None else round(corrected.degrees, 2),
        fitzpatrick_range=_range(skin_type, fitzpatrick(other.degrees), 6),
        monk_range=_range(step, monk(other.degrees, other.lightness), 10),
    )


def monk_of(part: Part) -> int | None:
    """The Monk tone of a part, 1–10; None if it cannot be estimated."""
    angle = photographed(part)
    return None if angle is None else monk(angle.degrees, angle.lightness)


def _range(estimate: int, other: int, most: int) -> tuple[int, int]:
    low = estimate - (2 if other < estimate - 1 else 1)
    high = estimate + (2 if other > estimate + 1 else 1)
    return max(1, low), min(most, high)


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
    skin of the person's own colour."""
    own = own_colour(lightness, mask)
    typical = own & _near_median(lightness, own) & _near_median(b, own)
    return typical if typical.any() else own


def _near_median(values: Floats, mask: Mask) -> Mask:
    """Which of ``values`` (H, W) lie within one standard deviation of the median in ``mask`` (H, W)."""
    off = values - np.float32(median(values.ravel() if mask.all() else values[mask]))
    return np.asarray(np.abs(off, out=off) <= deviation(values, mask.view(np.uint8)))


def own_colour(lightness: Floats, mask: Mask) -> Mask:
    """The part of ``mask`` (H, W) that has the person's own ``lightness`` L* (H, W), so that a large patch of vitiligo
    or a naevus does not determine the tone. If the skin has two clearly different lightnesses, it is the one of most
    skin near the frame; otherwise it is the whole mask."""
    sampled = mask[::_STEP, ::_STEP]
    values = lightness[::_STEP, ::_STEP][sampled]
    if not len(values):
        return mask
    cut, _ = cv2.threshold((values * 2.55).astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    cut = (cut + 1) / 2.55
    pale = values >= cut
    if not _are_two(values, pale):
        return mask
    near = near_frame(sampled.shape)[sampled]
    counted = pale[near] if near.any() else pale
    return mask & ((lightness >= cut) if counted.mean() > 0.5 else (lightness < cut))


def _are_two(values: Floats, pale: Mask) -> bool:
    """Whether the ``pale`` values differ clearly from the other ``values``, (n,) both."""
    if not _LEAST_SHARE <= pale.mean() <= 1 - _LEAST_SHARE:
        return False
    light, dark = values[pale], values[~pale]
    gap = light.mean() - dark.mean()
    within = np.sqrt((light.var() * len(light) + dark.var() * len(dark)) / len(values))
    return bool(gap >= max(_LEAST_GAP, _CLEAR * within))


def _measured_angle(angle: TypologyAngle | None) -> Value:
    return UNKNOWN if angle is None else (angle.degrees, angle.uncertainty)


def _evenness(part: Part) -> Value:
    return (part.region.deviation(part.frame.lab[..., 0]) if part.region.usable else None), None


_METHOD = "atan2(L* − 50, b*) of skin within ±1 SD of the median L* and b*; of two colours, the one at the frame"
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
    ),
    Measure(
        name="yellowness",
        label="Yellowness",
        unit="b*",
        direction="yellower",
        description="How far the mean colour of the skin lies from blue towards yellow. It depends on the light.",
        method="mean b*, CIELAB under D65",
        measured=lambda part: part.region.mean(part.frame.lab[..., 2]),
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
        scored=True,
    ),
)

"""Skin tone from the photo's colours: the individual typology angle (ITA) and what is estimated from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.skin.colour import lightness_and_b
from ml.skin.declaration import Measure
from ml.skin.own_colour import own_colour
from ml.skin.ranks import median
from ml.skin.regions import Region, standard_error, total
from ml.skin.uncertainty import angle_limit
from ml.values import RGB, Mask, Measurement, Tone

Floats = NDArray[np.float32]

MIN_COVERAGE = 0.05  # of the photo: less skin than this is as likely something else
_METHOD = "atan2(L* − 50, b*) of skin within ±1 SD of the median L* and b*; of two colours, of the one nearer the frame"
ITA = Measure(
    name="ita",
    label="Typology angle (ITA)",
    unit="°",
    direction="lighter skin",
    description="The individual typology angle: how light the skin is for its yellowness, in the photo's own light.",
    method=_METHOD,
    limited=False,
)
BALANCED_ITA = Measure(
    name="ita_white_balanced",
    label="Typology angle, white-balanced",
    unit="°",
    direction="lighter skin",
    description="The individual typology angle after the colour of the light is removed. Where it differs much from "
    "the angle in the photo's own light, neither can be trusted.",
    method=f"{_METHOD}, after shades of grey (p = 6)",
    limited=False,
)
MEASURES = (ITA, BALANCED_ITA)  # their limits are those of L* and b*

# Least angle in degrees of each category but the last. Chardon et al. (1991), extended by Del Bino et al. (2006).
CATEGORIES = (
    (55.0, "very light"),
    (41.0, "light"),
    (28.0, "intermediate"),
    (10.0, "tan"),
    (-30.0, "brown"),
)
DARKEST = "dark"

# Least angle of Fitzpatrick types 1 to 5: the cut-offs of Kinyanjui et al. (2020), as used by Groh et al. (2021).
FITZPATRICK = (55.0, 41.0, 28.0, 19.0, 10.0)

# The ten Monk swatches cannot be told apart by the nearest colour: 1 to 3 almost coincide, 5 and 7 lie 61° of ITA
# apart, and the light swatches are far lighter than skin ever photographs, so that everyone would land at 5 or
# above. So the tone is a proportional-odds model's (McCullagh 1980): the estimate is 1 and one more for each cut that
# the score exceeds. `python -m research.monk` fits and prints both.
_MONK_WEIGHTS = (-0.123, -0.108, 0.150)
_MONK_CUTS = (-14.01, -12.9, -11.84, -10.66, -8.47, -4.73, -0.39, 4.35, 7.58)
_BRIGHT = 55.0  # L*: above, exposure moves L* more than tone does

CAVEAT = (
    "Estimated from this photo's colours, which its light, exposure and camera shift; not a clinical typing. "
    "Fitzpatrick type by the ITA cut-offs of Kinyanjui and Groh, which on labelled photos come within one type "
    "of a person's answer only about half of the time. Monk tone by the order of ITA and lightness."
)
TOO_LITTLE = "Too little skin was found in the photo to estimate its tone."
NO_FACE = (
    "The face was not found, so its skin cannot be told from what is behind it, and no tone is estimated. Send a photo "
    "that shows the whole face, upright and in even light."
)
NOT_YELLOW = "No yellow shows in the skin in this light, where the typology angle has no meaning. Use neutral light."


@dataclass(frozen=True)
class TypologyAngle:
    """ITA in ``degrees``, the mean ``lightness`` (L*) and ``yellowness`` (b*) of the skin it was taken on, and its
    standard error from image blocks, None with too few of them."""

    degrees: float
    lightness: float
    yellowness: float
    uncertainty: float | None


def estimate(rgb: RGB, mask: Mask) -> Tone:
    """The tone of the skin that ``mask`` (H, W) marks in ``rgb``; see ``ml.values.Tone``.

    Every estimate is None, and the caveat says why, where the mask covers under 5% of the photo, or where the
    skin's b* is not positive: the angle is defined for yellowish colours only.
    """
    skin = Region("skin", mask, MIN_COVERAGE)
    return tone_of(typology_angle(*lightness_and_b(rgb), skin), skin)


def tone_of(angle: TypologyAngle | None, skin: Region, corrected: TypologyAngle | None = None) -> Tone:
    """The tone that follows from the ``angle`` of ``skin``; ``corrected`` is its angle after white balance.

    A range is one step to either side, as labelled photos ask for (see ``CAVEAT``), and one more towards what the
    corrected angle gives where that lies further off: where the two differ, the light is in doubt.
    """
    if angle is None:
        return Tone(None, None, None, None, NOT_YELLOW if skin.usable else TOO_LITTLE)
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


def _range(estimate: int, other: int, most: int) -> tuple[int, int]:
    low = estimate - (2 if other < estimate - 1 else 1)
    high = estimate + (2 if other > estimate + 1 else 1)
    return max(1, low), min(most, high)


def typology_angle(lightness: Floats, b: Floats, skin: Region) -> TypologyAngle | None:
    """ITA of ``skin`` in CIELAB's ``lightness`` and ``b`` (H, W), on its pixels within one standard deviation of the
    median of each; None where the region is not usable, or where their mean b* is not positive."""
    if not skin.usable:
        return None
    typical = Region(skin.name, typical_skin(lightness, b, skin.mask))
    (mean, means), (mean_b, means_b) = typical.means(lightness), typical.means(b)
    if mean_b <= 0:
        return None
    return TypologyAngle(float(_ita(mean, mean_b)), mean, mean_b, standard_error(_ita(means, means_b)))


def ita_measurement(measure: Measure, angle: TypologyAngle | None, skin: Region) -> Measurement:
    """The angle of ``skin`` as ``measure``, in degrees, with its limit (`ml.skin.uncertainty`)."""
    if angle is None:
        return measure.measurement(skin.name)
    limit = angle_limit(measure.name, angle.lightness, angle.yellowness)
    return measure.measurement(skin.name, angle.degrees, math.hypot(angle.uncertainty or 0.0, limit))


def typical_skin(lightness: Floats, b: Floats, mask: Mask) -> Mask:
    """The skin within one standard deviation of the median in L* and in b*, (H, W) all; all of it where none is."""
    own = own_colour(lightness, mask)
    typical = own & _near_median(lightness, own) & _near_median(b, own)
    return typical if typical.any() else own


def _near_median(values: Floats, mask: Mask) -> Mask:
    """Which of ``values`` (H, W) lie within one standard deviation of the median of those in ``mask`` (H, W)."""
    off = values - np.float32(median(values.ravel() if mask.all() else values[mask]))
    inside, pixels = mask.view(np.uint8), np.count_nonzero(mask)
    spread = cv2.norm(off, cv2.NORM_L2SQR, inside) / pixels - (total(off, inside) / pixels) ** 2
    return np.asarray(np.abs(off, out=off) <= math.sqrt(max(0.0, spread)))


def _ita(lightness: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """ITA in degrees, −180 to 180, from L* and b*."""
    return np.asarray(np.degrees(np.arctan2(np.asarray(lightness) - 50, b)))


def category(ita: float) -> str:
    """Chardon's and Del Bino's name for an angle in degrees."""
    return next((name for least, name in CATEGORIES if ita > least), DARKEST)


def fitzpatrick(ita: float) -> int:
    """Fitzpatrick type 1–6 for an angle in degrees."""
    return 1 + sum(ita <= least for least in FITZPATRICK)


def monk(ita: float, lightness: float) -> int:
    """Monk tone 1–10 for an angle in degrees and L*."""
    score = sum(weight * of for weight, of in zip(_MONK_WEIGHTS, monk_features(ita, lightness), strict=True))
    return 1 + sum(score > cut for cut in _MONK_CUTS)


def monk_features(ita: float, lightness: float) -> tuple[float, float, float]:
    """What the Monk tone is estimated from: the angle, L*, and what L* has above 55."""
    return ita, lightness, max(lightness - _BRIGHT, 0.0)

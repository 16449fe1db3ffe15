"""Fits the limits of comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.skin.aligned import LESION_AREA, REDNESS_CONTRAST, PairedValue
from ml.skin.lesion import DIFFERENCES
from ml.training.statistics import wilson

#: of the measures of aligned photos
CODES = (*(one.name for one in DIFFERENCES), LESION_AREA, REDNESS_CONTRAST)
#: share of the pairs of unchanged skin whose difference the uncertainty holds: of changed copies of a photo, and of
#: photos in different light
_OF_COPIES, _OF_PHOTOS = 0.99, 0.90
_SPARE_INLIERS = 2
#: least share of the pairs of keypoints that must fit; those of the same lesion that fit have more
LEAST_SHARE = 0.11


@dataclass(frozen=True)
class Pair:
    """The values of unchanged skin in two aligned photos. ``kind``: "copy", "photo" or "simulated"."""

    kind: str
    half: int
    person: str
    light_apart: float
    values: Mapping[str, PairedValue]


@dataclass(frozen=True)
class Scores:
    """How alike the photos of pairs are: of the same place, and of different ones."""

    same: Sequence[float]
    different: Sequence[float]


def measures(pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """The limits of all measures, from pairs of unchanged skin."""
    return {code: _limit([pair for pair in pairs if code in pair.values], code) for code in CODES}


def _limit(pairs: Sequence[Pair], code: str) -> dict[str, float]:
    """The limit in the same light holds for copies. The slope is the least that holds for photos in different light,
    and for simulated ones."""
    copies = [_beyond(pair, code, 0.0) for pair in pairs if pair.kind == "copy"]
    same = _round_up(float(np.quantile(copies, _OF_COPIES)))
    slope = 0.0
    for kind in ("photo", "simulated"):
        needed = [_slope(pair, code, same) for pair in pairs if pair.kind == kind]
        slope = max(slope, float(np.quantile(needed, _OF_PHOTOS)) if needed else 0.0)
    return {"same_light": same, "for_light": _round_up(slope)}


def _beyond(pair: Pair, code: str, limit: float) -> float:
    """The part of the difference that neither the photos' own uncertainty nor ``limit`` explains."""
    value = pair.values[code]
    return max(0.0, math.sqrt(max(0.0, (value.after - value.before) ** 2 - value.own**2)) - limit)


def _slope(pair: Pair, code: str, same: float) -> float:
    return _beyond(pair, code, same) / max(pair.light_apart, 0.05)


def registration(fitted: Scores, held_out: Scores) -> dict[str, Any]:
    """The limits for skin. ``held_out``: the scores of the other half, for the confidence."""
    same_from = int(max(fitted.different)) + _SPARE_INLIERS
    same, different = (np.array(some) >= same_from for some in (held_out.same, held_out.different))
    return {
        "same_from_inliers": same_from,
        "same_from_share": LEAST_SHARE,
        "confidence": _confidence(same, different),
    }


def _confidence(right: np.ndarray, wrong: np.ndarray) -> float:
    """The share of verdicts that are right, if half of all pairs are of the same place. ``right``: whether pairs that
    deserve the verdict get it. ``wrong``: whether others do, of which the upper end of the interval counts."""
    often, (_, seldom) = float(right.mean()), wilson(int(wrong.sum()), len(wrong))
    return math.floor(100 * often / max(often + seldom, 1e-9)) / 100


def _round_up(value: float) -> float:
    """``value`` rounded up to two significant digits."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.2g}")

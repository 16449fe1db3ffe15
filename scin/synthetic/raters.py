"""What dermatologists and Monk raters would write of a case: differentials, and tones that do not quite agree.

A third of the graded cases were seen by three dermatologists, the others by one, as SCIN's own columns have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scin.synthetic.conditions import BY_NAME
from scin.synthetic.streams import Purpose, stream
from scin.synthetic.values import CaseSpec

SUFFICIENT = "DEFAULT_YES_IMAGE_QUALITY_SUFFICIENT"
INSUFFICIENT = "NO_IMAGE_QUALITY_INSUFFICIENT"
DERMATOLOGISTS = 3
SEEN_BY_THREE = 1 / 3
UNGRADED_SHARE = 0.12  # of three dermatologists, now and then one finds the photos too poor
RECOGNISED_SHARE = 0.85  # how often the drawn condition comes first
NEIGHBOUR_SHARE = (0.55, 0.30, 0.15)  # how far down the list of look-alikes a wrong first label lies
FITZPATRICK_OF_MONK = (1.2, 1.7, 2.1, 2.7, 3.2, 4.0, 4.7, 5.2, 5.7, 6.0)
FITZPATRICK_SPREAD = 0.55
MONK_SPREAD = 0.6


@dataclass(frozen=True, slots=True)
class Differential:
    """One dermatologist's labels and the confidence in each, 1 (low) to 5."""

    labels: tuple[str, ...]
    confidences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grading:
    """All ratings of a case; per-dermatologist tuples have one or three entries. `fitzpatrick` is None where the
    rater could not tell; `differentials` holds only those who gave one."""

    gradable: tuple[str, ...]
    differentials: tuple[Differential, ...]
    fitzpatrick: tuple[int | None, ...]
    monk_india: int
    monk_us: int


def grade(spec: CaseSpec) -> Grading:
    """The ratings of a case; the same spec gives the same ratings."""
    rng = stream(spec.seed, Purpose.RATERS, spec.index)
    count = DERMATOLOGISTS if rng.random() < SEEN_BY_THREE else 1
    sees = _who_sees(rng, spec.quality, count)
    labelled = sum(sees) if spec.quality == "sufficient" else 0
    return Grading(
        gradable=tuple(SUFFICIENT if clear else INSUFFICIENT for clear in sees),
        differentials=tuple(_differential(rng, spec.condition) for _ in range(labelled)),
        fitzpatrick=tuple(_fitzpatrick(rng, spec.monk) if clear else None for clear in sees),
        monk_india=_monk(rng, spec.monk),
        monk_us=_monk(rng, spec.monk),
    )


def inverse_rank_weights(differentials: Sequence[Differential]) -> dict[str, float]:
    """The weighted label of SCIN: heaviest first, to two decimals, summing to about 1.

    Each dermatologist's labels are ranked by confidence and weigh 1/rank; labels of equal confidence share the mean
    of their ranks' weights. The weights are summed over dermatologists and divided by their total.
    """
    totals: dict[str, float] = {}
    for one in differentials:
        ranked = sorted(one.confidences, reverse=True)
        for label, confidence in zip(one.labels, one.confidences, strict=True):
            shares = [1.0 / rank for rank, other in enumerate(ranked, start=1) if other == confidence]
            totals[label] = totals.get(label, 0.0) + sum(shares) / len(shares)
    total = sum(totals.values())
    heaviest_first = sorted(totals.items(), key=lambda item: -item[1])
    return {label: round(weight / total, 2) for label, weight in heaviest_first}


def _who_sees(rng: np.random.Generator, quality: str, count: int) -> list[bool]:
    if quality == "insufficient":
        return [False] * count
    first_is_clear = [True]  # a labelled case has at least one differential
    return first_is_clear + [bool(rng.random() >= UNGRADED_SHARE) for _ in range(count - 1)]


def _differential(rng: np.random.Generator, condition: str) -> Differential:
    others = list(BY_NAME[condition].mistaken_for)
    if rng.random() < RECOGNISED_SHARE:
        labels = [condition]
    else:
        labels = [others.pop(int(rng.choice(len(NEIGHBOUR_SHARE), p=NEIGHBOUR_SHARE))), condition]
    for _ in range(int(rng.choice((0, 1, 2), p=(0.35, 0.35, 0.30)))):
        labels.append(others.pop(int(rng.integers(min(2, len(others))))))
    labels = labels[:DERMATOLOGISTS]
    confidence = int(rng.integers(3, 6))
    confidences = []
    for _ in labels:
        confidences.append(confidence)
        confidence = max(1, confidence - int(rng.choice((0, 1, 2), p=(0.15, 0.5, 0.35))))
    return Differential(tuple(labels), tuple(confidences))


def _fitzpatrick(rng: np.random.Generator, monk: int) -> int | None:
    if rng.random() < 0.04:
        return None
    felt = FITZPATRICK_OF_MONK[monk - 1] + FITZPATRICK_SPREAD * float(rng.normal())
    return int(np.clip(round(felt), 1, 6))


def _monk(rng: np.random.Generator, monk: int) -> int:
    return int(np.clip(round(monk + MONK_SPREAD * float(rng.normal())), 1, 10))

"""Statistics of pairs of photos of the same skin: ICC(1), limits of uncertainties, and how many pairs they hold."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from ml.skin.catalogue import CATALOGUE
from ml.training.statistics import wilson
from research.repeatability.photos import LESIONS, PORTRAITS, SIMULATED, Photo

#: a limit holds in this share of all pairs with this confidence
CONTENT, CONFIDENCE = 0.85, 0.95
FOLDS = 5
_RESAMPLES, _LEAST_PATIENTS = 1000, 10
_OF_SKIN = {"face": "skin", "zone": "skin"}  # kind of region of a face → the kind whose limit it has at least
_RESERVE = 1.5  # factor on limits from simulated pairs, because a simulation leaves out what it does not know
_PROPORTIONAL = (
    "px",
    "mm",
    "spots",
)  # units whose limits are shares of the value: photos vary in size, counts in number

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """A value, and its uncertainty without the fitted limit."""

    value: float
    own: float


#: (measure, kind of region, region) → reading
Readings = Mapping[tuple[str, str, str], Reading]


@dataclass(frozen=True)
class Pair:
    """Two readings of one measure of the same skin."""

    source: str
    subject: str
    patient: str
    skin_type: str
    one: Reading
    other: Reading

    def needed(self, relative: bool) -> float:
        """The least limit (absolute, or relative to the values) whose uncertainties hold the difference."""
        beyond = (self.one.value - self.other.value) ** 2 - self.one.own**2 - self.other.own**2
        shared = self.one.value**2 + self.other.value**2 if relative else 2.0
        return math.sqrt(max(0.0, beyond) / max(shared, 1e-12))


def pairs_of(measured: Sequence[tuple[Photo, Readings]]) -> dict[Any, list[Pair]]:
    """(measure, kind of region) → all pairs of photos of one subject in which it was measured in the same region."""
    by_subject: dict[tuple[str, str], list[tuple[Photo, Readings]]] = defaultdict(list)
    for photo, readings in measured:
        by_subject[photo.source, photo.subject].append((photo, readings))
    found: dict[Any, list[Pair]] = defaultdict(list)
    for (source, subject), group in by_subject.items():
        for (photo, first), (_, second) in combinations(group, 2):
            for name, kind, region in first.keys() & second.keys():
                same = subject if kind != "zone" else f"{subject} {region}"
                key = name, kind, region
                pair = Pair(source, same, photo.patient, photo.skin_type, first[key], second[key])
                found[name, kind].append(pair)
    return found


def evaluate(measured: Sequence[tuple[Photo, Readings]]) -> dict[str, dict[str, Any]]:
    """measure → kind of region → limit and figures, in the form of the parameter file."""
    groups = pairs_of(measured)
    facts: dict[str, dict[str, Any]] = {}
    for name, measure in CATALOGUE.items():
        relative = measure.unit in _PROPORTIONAL
        facts[name] = {}
        for kind in measure.regions:
            by_source: dict[str, list[Pair]] = {LESIONS: [], PORTRAITS: [], SIMULATED: []}
            for pair in groups.get((name, kind), []):
                by_source[pair.source].append(pair)
            faces = kind in _OF_SKIN
            real = by_source[PORTRAITS if faces else LESIONS]
            like = groups.get((name, _OF_SKIN.get(kind, kind)), [])
            fitted = [[pair for pair in like if pair.source == LESIONS]]
            fitted += [by_source[SIMULATED], real] if faces else []
            if any(fitted):
                facts[name][kind] = _facts(real, [f for f in fitted if f], relative=relative)
    return facts


def _facts(real: Sequence[Pair], fitted: Sequence[Sequence[Pair]], *, relative: bool) -> dict[str, Any]:
    """The limit is the largest of those for each group of ``fitted`` pairs. The figures are those of ``real`` pairs."""
    limit = max(
        tolerance([pair.needed(relative) for pair in pairs], _RESERVE if pairs[0].source == SIMULATED else 1.0)
        for pairs in fitted
    )
    found: dict[str, Any] = {
        "absolute": 0.0 if relative else limit,
        "relative": limit if relative else 0.0,
        "n": len(real),
        "subjects": len({pair.subject for pair in real}),
    }
    if len({pair.patient for pair in real}) < _LEAST_PATIENTS:
        return found
    held = held_out([pair.needed(relative) for pair in real], [pair.patient for pair in real])
    icc, interval = icc_with_interval(series(real))
    found |= {"icc": round(icc, 2), "icc_interval": [round(end, 2) for end in interval]}
    found |= coverage(held) | {
        "held_by_type": {
            kind: [sum(hits), len(hits)]
            for kind in sorted({pair.skin_type for pair in real if pair.skin_type})
            if (hits := [bool(hit) for hit, pair in zip(held, real, strict=True) if pair.skin_type == kind])
        },
    }
    return found


def coverage(held: NDArray[np.bool_]) -> dict[str, Any]:
    """The share of ``held`` (n,) and its interval."""
    low, high = wilson(int(held.sum()), len(held))
    return {"coverage": round(float(held.mean()), 3), "coverage_interval": [round(low, 3), round(high, 3)]}


def facts_of_lengths(needed: Sequence[float], patients: Sequence[str]) -> dict[str, Any]:
    """The facts of lengths that were compared with those by n drawn outlines. ``needed`` (n,): the relative limit that
    each needs. ``patients`` (n,): whose outline it is."""
    held = held_out(needed, patients)
    return {"absolute": 0.0, "relative": tolerance(needed), "n": len(held)} | coverage(held)


def tolerance(needed: Iterable[float], reserve: float = 1.0) -> float:
    """A limit that with 95% confidence holds in ``CONTENT`` of all pairs, from the limits that some pairs need,
    rounded up to two significant digits. It is the largest of them if they are too few for that
    confidence. ``reserve``: a factor on it."""
    ordered = np.sort(np.array([*needed]))
    enough = binom.cdf(np.arange(len(ordered)), len(ordered), CONTENT) >= CONFIDENCE
    place = int(enough.argmax()) if enough.any() else len(ordered) - 1
    return _round_up(reserve * float(ordered[place]))


def _round_up(value: float) -> float:
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.2g}")


def held_out(needed: Sequence[float], patients: Sequence[str]) -> NDArray[np.bool_]:
    """Which of the limits that are ``needed`` (n,) a limit from the other ``patients``' (n,) reaches."""
    fold = {patient: place % FOLDS for place, patient in enumerate(sorted(set(patients)))}
    all_needed, folds = np.array(needed), np.array([fold[patient] for patient in patients])
    limits = np.array([tolerance(all_needed[folds != number]) for number in range(FOLDS)])
    return np.asarray(all_needed <= limits[folds])


def series(pairs: Iterable[Pair]) -> list[Doubles]:
    """For each subject its values, each photo once."""
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for pair in pairs:
        values[pair.subject] |= {id(reading): reading.value for reading in (pair.one, pair.other)}
    return [np.array([*of.values()]) for of in values.values()]


def icc(groups: Sequence[Doubles]) -> float:
    """ICC(1) of values in groups: one-way random effects, unbalanced (Donner 1986)."""
    return float(_icc(_sums(groups)[None])[0])


def icc_with_interval(groups: Sequence[Doubles]) -> tuple[float, tuple[float, float]]:
    """ICC(1) of values in groups, and its 95% bootstrap interval over groups."""
    sums = _sums(groups)
    drawn = np.random.default_rng(1).integers(0, len(groups), (_RESAMPLES, len(groups)))
    low, high = np.nanquantile(_icc(sums[drawn]), (0.025, 0.975))
    return icc(groups), (float(low), float(high))


def _sums(groups: Sequence[Doubles]) -> Doubles:
    """The number, the sum and the sum of squares of each group's values less the mean of all, (g, 3)."""
    mean = np.concatenate(groups).mean()
    return np.array([[len(group), (group - mean).sum(), ((group - mean) ** 2).sum()] for group in groups])


def _icc(sums: Doubles) -> Doubles:
    """ICC(1) for samples (s, g, 3) of the number, sum and sum of squares of g groups."""
    n, total, squares = np.moveaxis(sums, -1, 0)
    count, groups = n.sum(axis=1), n.shape[1]
    between = ((total**2 / n).sum(axis=1) - total.sum(axis=1) ** 2 / count) / (groups - 1)
    within = (squares - total**2 / n).sum(axis=1) / (count - groups)
    typical = (count - (n**2).sum(axis=1) / count) / (groups - 1)
    return np.asarray((between - within) / (between + (typical - 1) * within))

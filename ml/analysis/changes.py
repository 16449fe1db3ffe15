"""Says for each measure of two photos whether it changed, or why it cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ml.analysis.comparison import Change, ComparedMeasure, Reason, ViewedPhoto
from ml.skin import face, lesion, pigment, spots, texture, tone
from ml.skin.aligned import LESION_AREA, REDNESS_CONTRAST, PairedValue
from ml.skin.catalogue import CATALOGUE
from ml.values import Measurement

#: measures whose value depends on how sharp the photo is, and on its distance
_OF_DETAIL = frozenset(one.name for family in (texture, spots) for one in family.MEASURES)
_OF_DISTANCE = _OF_DETAIL | {"evenness", "lesion_diameter_px"}
_OF_COLOUR = frozenset(one.name for family in (face, pigment, tone) for one in family.MEASURES) | frozenset(
    ("lesion_colour_variegation", REDNESS_CONTRAST, *(one.name for one in lesion.DIFFERENCES))
)
_BAD_LIGHT = ("too_dark", "too_bright", "colour_cast")  # problems of a photo
_UNSHARP = "too_blurry"
# The widest conditions in which measures are compared: the light (natural logarithm), the turn of the head (degrees),
# and the scale of the second photo over that of the first, without and with a face, to which texture is relative.
_WIDEST_LIGHT, _WIDEST_TURN = 1.2, 20.0
_DISTANCES, _FACE_DISTANCES = (0.8, 1.25), (0.5, 2.0)

OTHER_LIGHT = Reason("other_light", "The light of the two photos differs too much, or shows no true colours.")
UNSHARP = Reason("unsharp", "One of the photos is not sharp enough.")
OTHER_DISTANCE = Reason("other_distance", "The photos were taken from different distances.")
DISTANCE_UNKNOWN = Reason("distance_unknown", "It is not known whether the photos were taken from the same distance.")
OTHER_VIEW = Reason("other_view", "The head is turned differently in the two photos.")
NOT_MEASURED = Reason("not_measured", "It could be measured in one of the photos only.")


@dataclass(frozen=True)
class _Facts:
    """What an answer says of a measure."""

    code: str
    label: str
    unit: str
    region: str
    direction: str
    clinical: bool


#: measures that only two aligned photos have
_OF_PAIRS = (
    _Facts(LESION_AREA, "Area of the lesion", "% of the first photo's", "lesion", "larger", clinical=True),
    _Facts(
        REDNESS_CONTRAST,
        "Redness of the reddest part, compared with the rest",
        "index",
        "skin",
        "redder than the rest",
        clinical=False,
    ),
)


@dataclass(frozen=True)
class Conditions:
    """What two photos allow to compare.

    ``refused``: why nothing can be compared, or None. ``paired``: code → values at the same places of aligned photos.
    ``light_apart``: how far the light on the skin differs, as a natural logarithm; None if unknown. ``distances``: the
    scale of the second photo over that of the first; None if unknown. ``turned``: degrees between the directions of the
    heads; None without faces.
    """

    refused: Reason | None = None
    paired: Mapping[str, PairedValue] = field(default_factory=dict)
    light_apart: float | None = None
    distances: float | None = None
    turned: float | None = None


def compared(
    before: ViewedPhoto, after: ViewedPhoto, conditions: Conditions, limits: Mapping[str, Mapping[str, float]]
) -> tuple[ComparedMeasure, ...]:
    """All measures that at least one of the photos has, first those that only a pair has.

    ``limits``: of the measures of aligned photos, as `limit_of` takes them.
    """
    judge = _Judge(before, after, conditions, limits)
    first, second = (
        {(one.name, one.region): one for one in photo.measurements if one.value is not None}
        for photo in (before, after)
    )
    found = [judge.of_pair(facts) for facts in _OF_PAIRS if facts.code in conditions.paired]
    for name, region in dict.fromkeys([*first, *second]):
        measure = CATALOGUE[name]
        facts = _Facts(name, measure.label, measure.unit, region, measure.direction, measure.clinical)
        if name in conditions.paired:
            found.append(judge.of_pair(facts))
        else:
            found.append(judge.of_two(facts, first.get((name, region)), second.get((name, region))))
    return tuple(found)


def limit_of(limit: Mapping[str, float], light_apart: float) -> float:
    """The uncertainty of the difference between two aligned photos whose light is ``light_apart``."""
    return limit["same_light"] + limit["for_light"] * light_apart


@dataclass(frozen=True)
class _Judge:
    """Compares the measures of two photos."""

    before: ViewedPhoto
    after: ViewedPhoto
    conditions: Conditions
    limits: Mapping[str, Mapping[str, float]]

    def of_pair(self, facts: _Facts) -> ComparedMeasure:
        """A measure that was taken at the same places of aligned photos."""
        values = self.conditions.paired[facts.code]
        limit = limit_of(self.limits[facts.code], self.conditions.light_apart or 0.0)
        return self._decided(facts, values.before, values.after, math.hypot(values.own, limit))

    def of_two(self, facts: _Facts, one: Measurement | None, other: Measurement | None) -> ComparedMeasure:
        """A measure that was taken in each photo by itself. The uncertainty u of one value is such that two photos of
        the same skin mostly differ by at most √(u₁² + u₂²) (ml.skin.declaration)."""
        before, after = (None if each is None else each.value for each in (one, other))
        errors = [0.0 if each is None else each.uncertainty or 0.0 for each in (one, other)]
        return self._decided(facts, before, after, math.hypot(*errors))

    def _decided(self, facts: _Facts, before: float | None, after: float | None, uncertainty: float) -> ComparedMeasure:
        why = self.conditions.refused or self._hindrance(facts.code)
        if before is None or after is None:
            why = why or NOT_MEASURED
        difference = None if why is not None or before is None or after is None else after - before
        return ComparedMeasure(
            code=facts.code,
            label=facts.label,
            unit=facts.unit,
            region=facts.region,
            direction=facts.direction,
            before=before,
            after=after,
            difference=difference,
            uncertainty=None if difference is None else uncertainty,
            change=_change(difference, uncertainty),
            reason=why,
            clinical=facts.clinical,
        )

    def _hindrance(self, name: str) -> Reason | None:
        """Why this measure cannot be compared in these photos; None if it can."""
        problems = {problem.code for photo in (self.before, self.after) for problem in photo.quality.problems}
        apart, turned = self.conditions.light_apart, self.conditions.turned
        if name in _OF_DETAIL and _UNSHARP in problems:
            return UNSHARP
        if name in _OF_COLOUR and (problems.intersection(_BAD_LIGHT) or (apart or 0.0) > _WIDEST_LIGHT):
            return OTHER_LIGHT
        if turned is not None and turned > _WIDEST_TURN:
            return OTHER_VIEW
        return self._distance() if name in _OF_DISTANCE else None

    def _distance(self) -> Reason | None:
        if self.conditions.distances is None:
            return DISTANCE_UNKNOWN
        nearest, farthest = _DISTANCES if self.conditions.turned is None else _FACE_DISTANCES
        return None if nearest <= self.conditions.distances <= farthest else OTHER_DISTANCE


def _change(difference: float | None, uncertainty: float) -> Change:
    if difference is None:
        return "not_comparable"
    if abs(difference) <= uncertainty:
        return "no_detectable_change"
    return "higher" if difference > 0 else "lower"

"""Everything measured on one photo: a loop over the catalogue."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from ml.skin.catalogue import CATALOGUE
from ml.skin.declaration import RegionKind
from ml.skin.frame import Frame, Part, Subject
from ml.skin.tone import tone_of
from ml.values import Measurement, Skin

_PORTRAIT: tuple[RegionKind, ...] = ("photo", "skin")
_WHOLE: tuple[RegionKind, ...] = (*_PORTRAIT, "lesion", "lesion_minus_surrounding")


def measure_skin(subject: Subject) -> Skin:
    """Tone and measurements of the skin in a photo, or of its face's zones, each of which comes back measured too.

    If it is a close call whether a part of the photo is skin, all is measured with it and without, and the difference
    is part of a value's uncertainty. What cannot be measured has the value None; so has everything if skin is under 5%
    of a photo without a face. ``score`` is None throughout: a percentile needs a population, which the caller may know.
    """
    kinds = _PORTRAIT if subject.portrait else _WHOLE
    measurements = _measured(subject.whole, kinds)
    if subject.otherwise is not None:
        measurements = either_way(measurements, _measured(subject.otherwise, kinds))
    zones = subject.zones
    if zones is not None:
        parts = zip(zones, subject.zone_parts, strict=True)
        zones = tuple(replace(zone, measurements=_measured(part, ("zone",))) for zone, part in parts)
    return Skin(tone_of(subject.whole), measurements, zones)


def measure_scored(frame: Frame) -> tuple[Measurement, ...]:
    """What an index's population is measured by: the scored measures of all skin, as ``measure_skin`` takes them, but
    of one reading of where the skin is."""
    part = Subject(frame).whole
    return tuple(measure.of(part, "skin") for measure in CATALOGUE.values() if measure.scored)


def _measured(part: Part, kinds: Iterable[RegionKind]) -> tuple[Measurement, ...]:
    return tuple(
        measure.of(part, kind)
        for measure in CATALOGUE.values()
        for kind in kinds
        if kind in measure.regions and (kind != "zone" or not measure.zones or part.name in measure.zones)
    )


def either_way(measured: Iterable[Measurement], otherwise: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """``measured`` on one reading of where the skin is; the difference from the measurement of the same name on the
    ``otherwise`` reading is part of its uncertainty. Without a value if either reading has none."""
    others = {other.name: other.value for other in otherwise}
    return tuple(_either_way(one, others.get(one.name)) for one in measured)


def _either_way(measured: Measurement, otherwise: float | None) -> Measurement:
    if measured.value is None or otherwise is None:
        return replace(measured, value=None, uncertainty=None)
    return replace(measured, uncertainty=math.hypot(measured.uncertainty or 0.0, measured.value - otherwise))

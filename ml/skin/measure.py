"""Measures one photo with all measures of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from ml.skin.catalogue import CATALOGUE
from ml.skin.declaration import RegionKind
from ml.skin.frame import Frame, Part, Subject
from ml.skin.tone import tone_of
from ml.values import Measurement, Skin

_PORTRAIT: tuple[RegionKind, ...] = ("photo", "skin", "face")
_WHOLE: tuple[RegionKind, ...] = (*_PORTRAIT, "lesion", "lesion_minus_surrounding")


def measure_skin(subject: Subject, *, full: bool = False) -> Skin:
    """The tone and the measurements of a photo's skin and, if it shows a face, of each zone. ``full``: with the
    measures that are not in every answer.

    If it is a close call whether a part of the photo is skin, everything is measured with and without that part, and
    the difference is added to the uncertainty. The value of a measure that cannot be measured is None. If a photo
    without a face shows less than 5% skin, that is true of all measures of skin. ``score`` is always None; the caller
    adds it (ml.analysis.scores).
    """
    kinds = _PORTRAIT if subject.portrait else _WHOLE
    measurements = _measured(subject.whole, kinds, full=full)
    if subject.otherwise is not None:
        measurements = either_way(measurements, _measured(subject.otherwise, kinds, full=full))
    zones = subject.zones
    if zones is not None:
        parts = zip(zones, subject.zone_parts, strict=True)
        zones = tuple(replace(zone, measurements=_measured(part, ("zone",), full=full)) for zone, part in parts)
    return Skin(tone_of(subject, full=full), measurements, zones)


def measure_scored(frame: Frame) -> tuple[Measurement, ...]:
    """The scored measures of all skin of a photo, for an index's population. As by ``measure_skin``, but the
    alternative skin mask is not used."""
    part = Subject(frame).whole
    return tuple(measure.of(part, "skin") for measure in CATALOGUE.values() if measure.scored)


def _measured(part: Part, kinds: Iterable[RegionKind], *, full: bool) -> tuple[Measurement, ...]:
    shown = [kind for kind in kinds if kind not in ("skin", "face") or kind == part.name]
    return tuple(
        measure.of(part, kind)
        for measure in CATALOGUE.values()
        for kind in shown
        if measure.is_measured(part, kind, full=full)
    )


def either_way(measured: Iterable[Measurement], otherwise: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """``measured``, whose uncertainties include the difference from the measurement of the same name in ``otherwise``,
    made with the alternative skin mask. The value is None if one of the two is None."""
    others = {other.name: other.value for other in otherwise}
    return tuple(_either_way(one, others.get(one.name)) for one in measured)


def _either_way(measured: Measurement, otherwise: float | None) -> Measurement:
    if measured.value is None or otherwise is None:
        return replace(measured, value=None, uncertainty=None)
    return replace(measured, uncertainty=math.hypot(measured.uncertainty or 0.0, measured.value - otherwise))

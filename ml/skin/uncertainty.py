"""How far a measurement may move when its photo comes a little differently: smaller, compressed, lighter or darker.

The standard error from image blocks tells how much the skin in a photo varies, and nothing of the photo itself. Limits
tell that. They cover what a value moves by beyond what its own photo tells of how sure it is.
`params/repeatability.json` holds them, with the command that fits them and the photos they were fitted to. The
catalogue says which measures have one (``limited``); a test compares the two.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ml.values import Measurement, Zone


@dataclass(frozen=True)
class Limit:
    """What a value v may move by, in its unit: ``absolute`` + ``relative`` · the amount of v."""

    absolute: float
    relative: float = 0.0

    def of(self, value: float) -> float:
        return self.absolute + self.relative * abs(value)


def _limits(facts: Mapping[str, tuple[float, float]]) -> dict[str, Limit]:
    return {name: Limit(absolute, relative) for name, (absolute, relative) in facts.items()}


_FACTS = json.loads((Path(__file__).parent / "params" / "repeatability.json").read_text(encoding="utf-8"))
#: measure → limit in a photo, of its skin or face as a whole, or of a lesion
LIMITS: Mapping[str, Limit] = _limits(_FACTS["whole"])
#: measure → limit in a zone of a face, whose outline moves too
ZONE_LIMITS: Mapping[str, Limit] = _limits(_FACTS["zone"])
#: typology angle → limits of the "lightness" and the "yellowness" that it is taken of. White balance may take another
#: patch for grey, and moves b* more.
ANGLE_LIMITS: Mapping[str, Mapping[str, Limit]] = {name: _limits(both) for name, both in _FACTS["angle"].items()}


def with_repeatability(
    measurements: Iterable[Measurement], limits: Mapping[str, Limit] = LIMITS
) -> tuple[Measurement, ...]:
    """``measurements``, each with the root of the sum of squares of its standard error and its limit."""
    return tuple(_combined(m, limits[m.name].of(m.value or 0.0)) if m.name in limits else m for m in measurements)


def either_way(measured: Iterable[Measurement], otherwise: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """``measured`` on one reading of where the skin is; its uncertainty includes the difference from the measurement of
    the same name on the other reading, ``otherwise``. Without a value where either reading has none."""
    others = {other.name: other.value for other in otherwise}
    return tuple(_either_way(one, others.get(one.name)) for one in measured)


def _either_way(measured: Measurement, otherwise: float | None) -> Measurement:
    if measured.value is None or otherwise is None:
        return replace(measured, value=None, uncertainty=None)
    return _combined(measured, measured.value - otherwise)


def repeatable_zone(zone: Zone) -> Zone:
    """``zone`` with the limits of zones added to its measurements."""
    return replace(zone, measurements=with_repeatability(zone.measurements, ZONE_LIMITS))


def _combined(measurement: Measurement, limit: float) -> Measurement:
    if measurement.value is None:
        return measurement
    return replace(measurement, uncertainty=math.hypot(measurement.uncertainty or 0.0, limit))


def angle_limit(name: str, lightness: float, yellowness: float) -> float:
    """Of a typology angle, in degrees: near its pole, at L* 50 without yellow, it is unsure however sure L* and b* are.

    atan2(L* − 50, b*) to first order in both (JCGM 100:2008, 5.1).
    """
    limits = ANGLE_LIMITS[name]
    up, along = lightness - 50, yellowness
    moved = math.hypot(along * limits["lightness"].of(lightness), up * limits["yellowness"].of(yellowness))
    return min(180.0, math.degrees(moved / max(up**2 + along**2, 1e-6)))

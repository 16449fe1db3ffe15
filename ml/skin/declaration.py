"""The declaration of a measure, which each family's file makes of its own; `ml.skin.catalogue` collects them.

An uncertainty has two parts. What the photo itself shows, such as a standard error, is the measure's own affair. A
fitted limit adds how far the value may move when the photo comes smaller, compressed, lighter or darker.
`params/repeatability.json` holds the limits, with the command that fits them and the photos they were fitted to.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ml.skin.frame import Part
from ml.skin.regions import Value
from ml.values import Measurement

#: "skin" is all skin of a photo, or of its face (region "face"); "zone" is a zone of a face, whose name is the region
RegionKind = Literal["photo", "skin", "zone", "lesion", "lesion_minus_surrounding"]


@dataclass(frozen=True)
class Limit:
    """How far a value v may move, in its unit: ``absolute`` + ``relative`` · |v|."""

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
#: typology angle → limits of the "lightness" and the "yellowness" that it is computed from
ANGLE_LIMITS: Mapping[str, Mapping[str, Limit]] = {name: _limits(both) for name, both in _FACTS["angle"].items()}


@dataclass(frozen=True)
class Measure:
    """A quantity that is measured on photos.

    ``name`` identifies it in answers; ``label`` and ``description`` are for people. ``unit``: "1" or "index" if it
    has no dimension, "share of …" for 0–1. ``direction`` says what a higher value means, as in "redder". ``method`` is
    the formula and its source. ``measured`` computes its value and uncertainty. ``regions`` are the kinds of region
    that it is measured in, ``zones`` the names of its zones, if not all. ``scored``: an answer may give its percentile
    in the index's population. ``limited``: its uncertainty includes a fitted limit. ``clinical``: it describes a
    lesion, and cosmetic mode leaves it out.
    """

    name: str
    label: str
    unit: str
    direction: str
    description: str
    method: str
    measured: Callable[[Part], Value]
    regions: tuple[RegionKind, ...] = ("skin",)
    zones: tuple[str, ...] = ()
    scored: bool = False
    clinical: bool = False
    limited: bool = True

    def of(self, part: Part, kind: RegionKind) -> Measurement:
        """The measure of a ``part`` as that ``kind`` of region, its limit included."""
        value, uncertainty = self.measured(part)
        region = part.name if kind in ("skin", "zone") else kind
        limit = (ZONE_LIMITS if kind == "zone" else LIMITS).get(self.name)
        if value is not None and limit is not None:
            uncertainty = math.hypot(uncertainty or 0.0, limit.of(value))
        return self.measurement(region, value, uncertainty)

    def measurement(self, region: str, value: float | None = None, uncertainty: float | None = None) -> Measurement:
        """``value`` ± ``uncertainty`` of a region, by its name; None if it could not be measured."""
        return Measurement(self.name, value, self.unit, self.method, region, uncertainty)

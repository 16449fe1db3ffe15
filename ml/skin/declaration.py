"""The record that declares a measure. Each family of measures has a file with its declarations, and
`ml.skin.catalogue` collects them.

An uncertainty has two parts. The first is computed from the photo, such as a standard error. The second is a fitted
limit: how far the value may move if the photo is resized, compressed, lightened or darkened.
`params/repeatability.json` has the limits, the command that fits them, and the photos that they were fitted to.
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

#: The kinds of region. "skin" is all skin of a photo without a face, "face" the skin of a face. "zone" is a zone of a
#: face; an answer gives its name.
RegionKind = Literal["photo", "skin", "face", "zone", "lesion", "lesion_minus_surrounding"]


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
#: measure → limit in all regions except zones
LIMITS: Mapping[str, Limit] = _limits(_FACTS["whole"])
#: measure → limit in a zone of a face; it is larger, because the zone's outline moves too
ZONE_LIMITS: Mapping[str, Limit] = _limits(_FACTS["zone"])


@dataclass(frozen=True)
class Measure:
    """A quantity that is measured on photos.

    - ``name`` identifies it in answers. ``label`` and ``description`` are for people.
    - ``unit``: "1" or "index" if it has no dimension, "share of …" for values 0–1.
    - ``direction``: what a higher value means, such as "redder". ``method``: the formula and its source.
    - ``measured``: computes the value and the part of its uncertainty that the photo shows.
    - ``regions``: the kinds of region in which it is measured. ``zones``: the names of its zones; empty for all.
    - ``standard_in``: those of ``regions`` in which every answer has it; None for all of them. In the others it is
      measured only if the request asks for full detail.
    - ``scored``: an answer may give its percentile in the index's population.
    - ``clinical``: it describes a lesion, so cosmetic mode leaves it out.
    - ``limited``: its uncertainty includes a fitted limit.
    """

    name: str
    label: str
    unit: str
    direction: str
    description: str
    method: str
    measured: Callable[[Part], Value]
    regions: tuple[RegionKind, ...] = ("skin", "face")
    standard_in: tuple[RegionKind, ...] | None = None
    zones: tuple[str, ...] = ()
    scored: bool = False
    clinical: bool = False
    limited: bool = True

    def is_measured(self, part: Part, kind: RegionKind, *, full: bool) -> bool:
        """Whether an answer has it for ``part`` as a region of this ``kind``. ``full``: with full detail."""
        regions = self.regions if full or self.standard_in is None else self.standard_in
        return kind in regions and (kind != "zone" or not self.zones or part.name in self.zones)

    def of(self, part: Part, kind: RegionKind) -> Measurement:
        """Measure ``part`` as a region of this ``kind``. The uncertainty includes the limit."""
        value, uncertainty = self.measured(part)
        region = part.name if kind in ("skin", "face", "zone") else kind
        limit = (ZONE_LIMITS if kind == "zone" else LIMITS).get(self.name)
        if value is not None and limit is not None:
            uncertainty = math.hypot(uncertainty or 0.0, limit.of(value))
        return self.measurement(region, value, uncertainty)

    def measurement(self, region: str, value: float | None = None, uncertainty: float | None = None) -> Measurement:
        """The measurement ``value`` ± ``uncertainty`` of the region with this name. ``value`` is None if it could not
        be measured."""
        return Measurement(self.name, value, self.unit, self.method, region, uncertainty)

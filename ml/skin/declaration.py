"""The record that declares a measure. Each family of measures has a file with its declarations, and
`ml.skin.catalogue` collects them.

An uncertainty u is the root of the sum of squares of two parts. The first is computed from the photo, such as a
standard error. The second is a fitted limit, so that two photos of the same skin mostly differ by at most √(u₁² + u₂²).
`params/repeatability.json` has the limits, how well the measures repeat, and the command that fits and evaluates them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ml.skin.frame import Part
from ml.skin.regions import Value
from ml.values import Measurement

#: The kinds of region. "skin" is all skin of a photo without a face, "face" the skin of a face. "zone" is a zone of a
#: face; an answer gives its name.
RegionKind = Literal["photo", "skin", "face", "zone", "lesion", "lesion_minus_surrounding"]


@dataclass(frozen=True)
class Evidence:
    """How a measure repeats between two photos of the same skin, taken at different moments.

    - ``n``: the number of pairs of photos in which it was measured.
    - ``icc``: the share of its variance between photos that belongs to the skin (at most 1), by one-way analysis of
      variance. ``coverage``: the share (0–1) of pairs of other people whose difference lies within the uncertainty.
      Each is followed by its 95% interval. All are None with too few pairs.

    A measure that needs the scale has no pairs of photos. Its values are compared with those by outlines that people
    drew on the same photos; ``n`` and ``coverage`` refer to these.
    """

    n: int
    icc: float | None = None
    icc_interval: tuple[float, float] | None = None
    coverage: float | None = None
    coverage_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Repeatability:
    """The fitted limit of a value v, in its unit: ``absolute`` + ``relative`` · |v|; and the evidence."""

    absolute: float
    relative: float
    evidence: Evidence

    def limit(self, value: float) -> float:
        return self.absolute + self.relative * abs(value)


def _repeatability(facts: Mapping[str, Any]) -> Repeatability:
    def interval(name: str) -> tuple[float, float] | None:
        return tuple(facts[name]) if facts.get(name) else None

    evidence = Evidence(
        facts["n"],
        facts.get("icc"),
        interval("icc_interval"),
        facts.get("coverage"),
        interval("coverage_interval"),
    )
    return Repeatability(facts["absolute"], facts["relative"], evidence)


_FACTS = json.loads((Path(__file__).parent / "params" / "repeatability.json").read_text(encoding="utf-8"))
#: measure → kind of region → its limit and evidence there
REPEATABILITY: Mapping[str, Mapping[str, Repeatability]] = {
    name: {kind: _repeatability(facts) for kind, facts in kinds.items()} for name, kinds in _FACTS["measures"].items()
}


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
    - ``needs_scale``: the answer has it only if the scale of the photo is stated.
    - ``scored``: an answer may give its percentile in the index's population.
    - ``clinical``: it describes a lesion, so cosmetic mode leaves it out.
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
    needs_scale: bool = False
    scored: bool = False
    clinical: bool = False

    @property
    def standard_regions(self) -> tuple[RegionKind, ...]:
        """The kinds of region in which every answer has it."""
        return self.regions if self.standard_in is None else self.standard_in

    @property
    def evidence(self) -> Mapping[str, Evidence | None]:
        """For each kind of region how well it repeats there; None if that is unknown."""
        known = REPEATABILITY.get(self.name, {})
        return {kind: known[kind].evidence if kind in known else None for kind in self.regions}

    def is_measured(self, part: Part, kind: RegionKind, *, full: bool) -> bool:
        """Whether an answer has it for ``part`` as a region of this ``kind``. ``full``: with full detail."""
        if self.needs_scale and part.frame.pixels_per_mm is None:
            return False
        regions = self.regions if full else self.standard_regions
        return kind in regions and (kind != "zone" or not self.zones or part.name in self.zones)

    def of(self, part: Part, kind: RegionKind) -> Measurement:
        """Measure ``part`` as a region of this ``kind``. The uncertainty includes the limit."""
        value, uncertainty = self.measured(part)
        region = part.name if kind in ("skin", "face", "zone") else kind
        fitted = REPEATABILITY.get(self.name, {}).get(kind)
        if value is not None and fitted is not None:
            uncertainty = math.hypot(uncertainty or 0.0, fitted.limit(value))
        return self.measurement(region, value, uncertainty)

    def measurement(self, region: str, value: float | None = None, uncertainty: float | None = None) -> Measurement:
        """The measurement ``value`` ± ``uncertainty`` of the region with this name. ``value`` is None if it could not
        be measured."""
        return Measurement(self.name, value, self.unit, self.method, region, uncertainty)

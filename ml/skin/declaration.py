"""What is true of a measure in every answer. Each family's file declares its own measures, and
`ml.skin.catalogue` lists all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ml.values import Measurement

#: "skin" is all skin of a photo, or of its face (region "face"); "zone" is a zone of a face, whose name is the region
RegionKind = Literal["photo", "skin", "zone", "lesion", "lesion_minus_surrounding"]


@dataclass(frozen=True)
class Measure:
    """A quantity that is measured on photos.

    ``name`` identifies it in answers; ``label`` and ``description`` are for people. ``unit``: "1" or "index" where it
    has no dimension, "share of …" for 0–1. ``direction`` says what a higher value means, as in "redder". ``method`` is
    the formula and its source. ``regions`` are the kinds of region that it is measured in. ``scored``: an answer may
    give its percentile in the index's population. ``limited``: its uncertainty includes the fitted limit that
    `ml.skin.uncertainty` holds for it. ``clinical``: it describes a lesion, and cosmetic mode leaves it out.
    """

    name: str
    label: str
    unit: str
    direction: str
    description: str
    method: str
    regions: tuple[RegionKind, ...] = ("skin",)
    scored: bool = False
    clinical: bool = False
    limited: bool = True

    def measurement(self, region: str, value: float | None = None, uncertainty: float | None = None) -> Measurement:
        """``value`` ± ``uncertainty`` of a region, by its name; None where it could not be measured."""
        return Measurement(self.name, value, self.unit, self.method, region, uncertainty)

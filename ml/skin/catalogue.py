"""Every measure that an answer may hold. To add one, declare it in its family's file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ml.skin import face, lesion, pigment, quality, spots, texture, tone
from ml.skin.declaration import Measure


def by_name(measures: Iterable[Measure]) -> Mapping[str, Measure]:
    """``measures`` by their names, in their order. Raises ValueError if two have the same name."""
    found: dict[str, Measure] = {}
    for measure in measures:
        if measure.name in found:
            raise ValueError(f"two measures are named {measure.name}")
        found[measure.name] = measure
    return MappingProxyType(found)


#: name → measure, in the order of an answer
CATALOGUE: Mapping[str, Measure] = by_name(
    measure for family in (quality, tone, pigment, texture, face, lesion, spots) for measure in family.MEASURES
)

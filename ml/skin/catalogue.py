"""The catalogue of all measures. To add a measure, declare it in the file of its family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ml.skin import face, lesion, pigment, quality, spots, texture, tone
from ml.skin.declaration import Measure


def by_name(measures: Iterable[Measure]) -> Mapping[str, Measure]:
    """Name → measure, in the order of ``measures``. Raises ValueError if two measures have the same name."""
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

"""The catalogue: every measure that an answer may hold, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from ml.skin.catalogue import CATALOGUE, by_name
from ml.skin.declaration import RegionKind
from ml.values import Measurement, Zone
from tests.unit.ml.skin_images import MONK, disc, skin_of, skin_patch, with_lesion

LEAST_ICC = 0.4
CORNERS = ((0.05, 0.05), (0.95, 0.05), (0.95, 0.95), (0.05, 0.95))
#: regions that are not zones of a face → their kind
KINDS: dict[str, RegionKind] = {
    "photo": "photo",
    "skin": "skin",
    "face": "face",
    "lesion": "lesion",
    "lesion_minus_surrounding": "lesion_minus_surrounding",
}


@cache
def answered() -> tuple[Measurement, ...]:
    """Everything that is measured on a photo of a lesion, and on a large face."""
    photo = with_lesion(skin_patch(MONK[4], 900, 1000), disc(900, 1000, 100))
    face = tuple(Zone(name, CORNERS) for name in ("nose", "forehead"))

    def found() -> Iterator[Measurement]:
        yield from skin_of(photo, pixels_per_mm=10).measurements
        skin = skin_of(photo, face, portrait=True)
        yield from skin.measurements
        for zone in skin.zones or ():
            yield from zone.measurements

    return tuple(found())


def test_every_measurement_is_declared_as_it_is_answered() -> None:
    for one in answered():
        measure = CATALOGUE[one.name]
        assert (one.unit, one.method) == (measure.unit, measure.method)
        assert KINDS.get(one.region, "zone") in measure.regions, one


def test_every_declared_measure_is_answered_in_all_its_regions() -> None:
    found = {(one.name, KINDS.get(one.region, "zone")) for one in answered()}
    assert found == {(name, kind) for name, measure in CATALOGUE.items() for kind in measure.regions}


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="two measures are named ita"):
        by_name((*CATALOGUE.values(), CATALOGUE["ita"]))


def test_people_can_read_every_measure() -> None:
    for measure in CATALOGUE.values():
        assert measure.label[0].isupper()
        assert measure.description.endswith(".")
        assert measure.direction
    assert len({measure.label for measure in CATALOGUE.values()}) == len(CATALOGUE)


def test_what_is_measured_of_a_lesion_is_clinical() -> None:
    for measure in CATALOGUE.values():
        assert measure.clinical == any(region.startswith("lesion") for region in measure.regions), measure.name


def test_what_two_photos_do_not_agree_on_is_not_in_every_answer() -> None:
    """A measure that is in every answer in a region has an ICC of at least .4 there, or needs the scale. Only on faces is
    there none, for want of pairs."""
    for name, measure in CATALOGUE.items():
        for kind in set(measure.standard_regions) if not measure.needs_scale else ():
            known = measure.evidence[kind]
            assert known is not None, name
            assert kind in ("face", "zone") if known.icc is None else known.icc >= LEAST_ICC, (name, kind)

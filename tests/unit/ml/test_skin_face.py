from __future__ import annotations

import numpy as np
import pytest

from ml.skin.catalogue import CATALOGUE
from ml.skin.face import RINGS, face_zones
from ml.skin.frame import Frame, zone_mask
from ml.values import RGB, Zone
from tests.unit.ml.skin_images import MONK, skin_of, skin_patch, with_lesion

HALF = Zone("half", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))


def rings_as_circles(width: int, height: int, shift: float = 0.0) -> np.ndarray:
    """Landmarks that put each zone's points on one clockwise circle, zones side by side."""
    landmarks = np.zeros((468, 3), np.float32)
    for place, ring in enumerate(RINGS.values()):
        middle = (width * ((place + 0.5) / len(RINGS) + shift), height / 2)
        unique = list(dict.fromkeys(ring))
        turn = 2 * np.pi * np.arange(len(unique)) / len(unique)
        landmarks[unique, 0] = middle[0] + 20 * np.cos(turn)
        landmarks[unique, 1] = middle[1] + 20 * np.sin(turn)
    return landmarks


def test_rings_name_landmarks_of_the_canonical_mesh() -> None:
    for ring in RINGS.values():
        assert all(0 <= index < 468 for index in ring)
        assert len(ring) >= 8


def test_zone_polygons_are_fractions_of_the_photo() -> None:
    for zone in face_zones(rings_as_circles(700, 100), 700, 100):
        assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in zone.polygon)


def test_a_zone_turned_away_is_left_out() -> None:
    landmarks = rings_as_circles(700, 100)
    turned = landmarks[list(RINGS["chin"])]
    landmarks[list(RINGS["chin"]), 0] = 2 * turned[:, 0].mean() - turned[:, 0]
    names = {zone.name for zone in face_zones(landmarks, 700, 100)}
    assert "chin" not in names
    assert "forehead" in names


def test_a_zone_mostly_outside_the_frame_is_left_out() -> None:
    first = next(iter(RINGS))
    assert first in {zone.name for zone in face_zones(rings_as_circles(700, 100, -0.05), 700, 100)}
    assert first not in {zone.name for zone in face_zones(rings_as_circles(700, 100, -0.09), 700, 100)}


def test_a_zone_mask_covers_its_polygon_at_any_scale() -> None:
    assert np.array_equal(np.flatnonzero(zone_mask(HALF, 10, 40).all(axis=0)), np.arange(20))
    assert zone_mask(HALF, 100, 200).mean() == pytest.approx(0.5, abs=0.01)


def test_a_zone_is_measured_on_its_own_skin() -> None:
    photo = np.concatenate([skin_patch(MONK[2], 96, 96), skin_patch(MONK[7], 96, 96)], axis=1)
    (zone,) = skin_of(photo, (HALF,)).zones or ()
    found = {m.name: m for m in zone.measurements}
    of_any_zone = {name for name, one in CATALOGUE.items() if "zone" in one.regions and not one.zones}
    assert set(found) == of_any_zone >= {"lightness", "redness", "evenness", "erythema_index", "lines", "roughness"}
    assert found["lightness"].value == pytest.approx(float(Frame(photo).lab[:, :96, 0].mean()), abs=0.1)
    assert {m.region for m in zone.measurements} == {"half"}
    assert zone.polygon == HALF.polygon


def test_a_zone_without_skin_is_not_measured() -> None:
    photo = np.full((96, 192, 3), (60, 130, 90), np.uint8)
    (zone,) = skin_of(photo, (HALF,)).zones or ()
    assert {m.value for m in zone.measurements} == {None}


FOREHEAD = Zone("forehead", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
NOSE = Zone("nose", ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))


def redness(photo: RGB, *zones: Zone) -> dict[str, float | None]:
    """Zone → how much redder it is than the forehead."""
    found = skin_of(photo, zones, portrait=True, full=False).zones or ()
    named = ((zone.name, m) for zone in found for m in zone.measurements)
    return {zone: m.value for zone, m in named if m.name == "zone_redness_difference"}


@pytest.mark.parametrize("swatch", MONK)
def test_a_red_nose_is_redder_than_the_forehead_on_every_tone(swatch: str) -> None:
    plain, nose = skin_patch(swatch, 96, 192), np.zeros((96, 192), np.bool_)
    nose[:, 96:] = True
    found = redness(with_lesion(plain, nose, (1.0, 0.8, 0.85)), FOREHEAD, NOSE)
    assert found.keys() == {"nose"}  # the forehead is not compared with itself
    assert found["nose"] == pytest.approx(redness(plain, FOREHEAD, NOSE)["nose"], abs=12)
    assert (found["nose"] or 0) > (redness(plain, FOREHEAD, NOSE)["nose"] or 0) + 1


def test_without_a_forehead_redness_is_not_compared() -> None:
    assert redness(skin_patch(MONK[4], 96, 192), NOSE) == {"nose": None}

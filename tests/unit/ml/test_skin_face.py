from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.catalogue import CATALOGUE
from ml.skin.colour import srgb_to_linear
from ml.skin.face import LEAST_SIDE, RINGS, face_zones
from ml.skin.face import MEASURES as OF_FACES
from ml.skin.frame import Frame, Part, zone_mask
from ml.skin.regions import Region
from ml.values import RGB, Zone
from tests.unit.ml.skin_images import MONK, skin_of, skin_patch

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


SIDE = 1000
NOSE = Zone("nose", ((0.4, 0.3), (0.6, 0.3), (0.6, 0.6), (0.4, 0.6)))
FACE = (
    Zone("forehead", ((0.1, 0.0), (0.9, 0.0), (0.9, 0.2), (0.1, 0.2))),
    NOSE,
    Zone("chin", ((0.3, 0.9), (0.7, 0.9), (0.7, 1.0), (0.3, 1.0))),
)


def photo(swatch: str, dents: np.ndarray | float = 0.0) -> RGB:
    linear = srgb_to_linear(skin_patch(swatch, SIDE, SIDE))
    return linear_to_srgb(np.asarray(linear * (1 - np.asarray(dents)[..., None]), np.float32))


def pits(spacing: int = 12, depth: float = 0.35) -> np.ndarray:
    """Pits about 4 px wide: half a millimetre on a face of this size."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    away = np.hypot(rows % spacing - spacing / 2, columns % spacing - spacing / 2)
    return np.asarray(depth * np.exp(-((away / 2) ** 2)))


def creases(spacing: int = 12, depth: float = 0.35) -> np.ndarray:
    rows = np.arange(SIDE)[:, None] % spacing - spacing / 2
    return np.asarray(np.broadcast_to(depth * np.exp(-((rows / 2) ** 2)), (SIDE, SIDE)))


def pores(rgb: RGB) -> float | None:
    (measure,) = OF_FACES
    frame = Frame(rgb)
    skin = Region(np.ones(frame.copy.shape[:2], np.bool_))
    face = Part(frame, "face", skin.mask, skin, skin.mask, FACE)
    return measure.measured(Part(frame, "nose", skin.mask, skin, zone=NOSE, face_part=face))[0]


@pytest.mark.parametrize("swatch", MONK)
def test_pitted_skin_has_more_pores_on_every_tone(swatch: str) -> None:
    smooth, pitted = pores(photo(swatch)), pores(photo(swatch, pits()))
    assert smooth is not None
    assert pitted is not None
    assert pitted > 2 * smooth + 0.1


def test_creases_are_no_pores() -> None:
    creased, pitted = pores(photo(MONK[4], creases())), pores(photo(MONK[4], pits()))
    assert creased is not None
    assert pitted is not None
    assert creased < pitted / 3


def test_of_the_same_face_in_more_pixels_the_same_is_told() -> None:
    pitted = photo(MONK[4], pits())
    larger = np.asarray(cv2.resize(pitted, (1500, 1500), interpolation=cv2.INTER_CUBIC), np.uint8)
    assert pores(larger) == pytest.approx(pores(pitted), rel=0.15)


def test_a_face_of_too_few_pixels_has_none() -> None:
    small = cv2.resize(photo(MONK[4], pits()), (LEAST_SIDE - 1, LEAST_SIDE - 1), interpolation=cv2.INTER_AREA)
    assert pores(np.asarray(small, np.uint8)) is None


def test_only_nose_and_cheeks_are_looked_at() -> None:
    zones = skin_of(photo(MONK[4]), FACE).zones or ()
    assert [zone.name for zone in zones if "pores" in {m.name for m in zone.measurements}] == ["nose"]

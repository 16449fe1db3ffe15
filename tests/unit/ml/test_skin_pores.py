"""Pores are told where the photo shows enough of a face, and from pits rather than from lines."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.face import LEAST_SIDE
from ml.skin.face import MEASURES as OF_FACES
from ml.skin.frame import Frame, Part
from ml.skin.regions import Region
from ml.values import RGB, Zone
from tests.unit.ml.skin_images import MONK, skin_of, skin_patch

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

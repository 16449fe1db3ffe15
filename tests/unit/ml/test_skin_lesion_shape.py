from __future__ import annotations

import numpy as np
import pytest

from ml.skin.lesion import Geometry, lesion_geometry
from ml.skin.outline import Segmentation
from ml.skin.regions import UNKNOWN, Value
from ml.values import Mask, Measurement
from tests.unit.ml.skin_images import MONK, disc, skin_of, skin_patch, with_lesion

SIDE = 400
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE] - SIDE / 2
ANGLE = np.arctan2(ROWS, COLUMNS)
GREY = np.full((SIDE, SIDE, 3), 50, np.float32)
SKIN = np.ones((SIDE, SIDE), np.bool_)


def measured(lesion: Mask, lab: np.ndarray = GREY) -> Geometry:
    return lesion_geometry(Segmentation(lesion, lesion, lesion), lab)


def shapes(found: Geometry) -> set[Value]:
    """All but the colours."""
    return {found.asymmetry, found.compactness, found.diameter}


def ellipse(long: float, short: float, degrees: float = 0.0) -> Mask:
    turn = np.radians(degrees)
    along, across = COLUMNS * np.cos(turn) + ROWS * np.sin(turn), ROWS * np.cos(turn) - COLUMNS * np.sin(turn)
    return np.asarray(np.hypot(along / long, across / short) < 1, np.bool_)


def star(depth: float) -> Mask:
    return np.asarray(np.hypot(ROWS, COLUMNS) < 80 * (1 + depth * np.cos(7 * ANGLE)), np.bool_)


def test_a_disc_is_symmetrical_smooth_and_as_wide_as_it_is() -> None:
    found = measured(disc(SIDE, SIDE, 80))
    assert found.asymmetry[0] == pytest.approx(0, abs=0.01)
    assert found.compactness[0] == pytest.approx(1, abs=0.02)
    assert found.diameter[0] == pytest.approx(160, abs=2)
    assert found.colours[0] == 0


@pytest.mark.parametrize("degrees", [0, 30, 75])
def test_an_ellipse_is_symmetrical_whichever_way_it_lies(degrees: float) -> None:
    found = measured(ellipse(120, 60, degrees))
    assert found.asymmetry[0] == pytest.approx(0, abs=0.02)
    assert found.diameter[0] == pytest.approx(240, abs=3)


def test_half_a_disc_differs_when_folded_along_one_axis() -> None:
    half = measured(disc(SIDE, SIDE, 80) & (ROWS < 0))
    assert half.asymmetry[0] is not None
    assert 0.05 < half.asymmetry[0] < 0.5


def test_notches_make_a_border_irregular() -> None:
    values = [measured(star(depth)).compactness[0] for depth in (0.0, 0.1, 0.25)]
    assert None not in values
    assert values == sorted(values)
    assert values[2] > 1.5


def test_two_colours_vary_by_half_their_distance() -> None:
    lab = GREY.copy()
    lab[:, SIDE // 2 :, 0] += 20
    assert measured(disc(SIDE, SIDE, 80), lab).colours[0] == pytest.approx(10, abs=0.1)


def test_millimetres_need_a_scale() -> None:
    photo = with_lesion(skin_patch(MONK[4], SIDE, SIDE), disc(SIDE, SIDE, 80))

    def diameters(**scale: float) -> dict[str, Measurement]:
        found = skin_of(photo, width=3 * SIDE, **scale).measurements
        return {m.unit: m for m in found if m.name.startswith("lesion_diameter")}

    assert "mm" not in diameters()
    assert diameters()["px"].value == pytest.approx(480, rel=0.05)
    scaled = diameters(pixels_per_mm=48.0)["mm"]
    assert scaled.value == pytest.approx(10, rel=0.05)
    assert scaled.uncertainty is not None


def test_a_lesion_cut_by_the_frame_has_colours_and_no_shape() -> None:
    cut = np.roll(disc(SIDE, SIDE, 80), SIDE // 2, axis=1)
    cut[:, SIDE // 2 :] = False
    found = measured(cut)
    assert found.colours[0] is not None
    assert shapes(found) == {UNKNOWN}


def test_of_two_lesions_alike_none_is_the_main_one() -> None:
    one, half = ellipse(60, 40), np.roll(ellipse(45, 30), 150, axis=0)
    found = measured(one | half)
    assert shapes(found) | {found.colours} == {UNKNOWN}
    small = measured(one | np.roll(ellipse(20, 20), 150, axis=0))
    assert small.diameter[0] == pytest.approx(120, abs=2)


def test_a_shape_that_depends_on_the_outline_is_unknown() -> None:
    lesion, nothing = disc(SIDE, SIDE, 80), np.zeros_like(SKIN)
    wide = np.asarray(lesion | (np.abs(ROWS) < 20), np.bool_)
    for masks in ((lesion, wide, lesion), (lesion, lesion, nothing)):
        assert shapes(lesion_geometry(Segmentation(*masks), GREY)) == {UNKNOWN}


def test_without_a_sure_outline_there_is_no_geometry() -> None:
    lesion = disc(SIDE, SIDE, 80)
    found = lesion_geometry(Segmentation(lesion, lesion, lesion, sure=False), GREY)
    assert shapes(found) | {found.colours} == {UNKNOWN}


def test_the_uncertainty_is_the_largest_change_for_the_other_outlines() -> None:
    masks = (disc(SIDE, SIDE, radius) for radius in (80, 90, 70))
    assert lesion_geometry(Segmentation(*masks), GREY).diameter[1] == pytest.approx(20, abs=1)


def test_no_lesion_no_geometry() -> None:
    found = lesion_geometry(None, GREY)
    assert shapes(found) | {found.colours} == {UNKNOWN}

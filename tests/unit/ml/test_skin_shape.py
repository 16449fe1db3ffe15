from __future__ import annotations

import numpy as np
import pytest

from ml.skin.lesion import Segmentation
from ml.skin.shape import lesion_geometry
from ml.values import Mask, Measurement
from tests.unit.ml.skin_images import disc

SIDE = 400
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE] - SIDE / 2
ANGLE = np.arctan2(ROWS, COLUMNS)
GREY = np.full((SIDE, SIDE, 3), 50, np.float32)
SKIN = np.ones((SIDE, SIDE), np.bool_)
NAMES = ("area", "asymmetry", "border_irregularity", "colour_variegation", "diameter_px", "diameter_mm")


def measured(lesion: Mask, lab: np.ndarray = GREY, **scale: float) -> dict[str, Measurement]:
    found = lesion_geometry(Segmentation(lesion, lesion, lesion), lab, SKIN, **scale)
    return {measurement.name.removeprefix("lesion_"): measurement for measurement in found}


def ellipse(long: float, short: float, degrees: float = 0.0) -> Mask:
    turn = np.radians(degrees)
    along, across = COLUMNS * np.cos(turn) + ROWS * np.sin(turn), ROWS * np.cos(turn) - COLUMNS * np.sin(turn)
    return np.asarray(np.hypot(along / long, across / short) < 1, np.bool_)


def star(depth: float) -> Mask:
    return np.asarray(np.hypot(ROWS, COLUMNS) < 80 * (1 + depth * np.cos(7 * ANGLE)), np.bool_)


def test_a_disc_is_symmetrical_smooth_and_as_wide_as_it_is() -> None:
    found = measured(disc(SIDE, SIDE, 80))
    assert found["asymmetry"].value == pytest.approx(0, abs=0.01)
    assert found["border_irregularity"].value == pytest.approx(1, abs=0.02)
    assert found["diameter_px"].value == pytest.approx(160, abs=2)
    assert found["area"].value == pytest.approx(np.pi * 80**2 / SIDE**2, rel=0.01)
    assert found["colour_variegation"].value == 0


@pytest.mark.parametrize("degrees", [0, 30, 75])
def test_an_ellipse_is_symmetrical_whichever_way_it_lies(degrees: float) -> None:
    found = measured(ellipse(120, 60, degrees))
    assert found["asymmetry"].value == pytest.approx(0, abs=0.02)
    assert found["diameter_px"].value == pytest.approx(240, abs=3)


def test_half_a_disc_differs_when_folded_along_one_axis() -> None:
    half = measured(disc(SIDE, SIDE, 80) & (ROWS < 0))
    assert half["asymmetry"].value is not None
    assert 0.05 < half["asymmetry"].value < 0.5


def test_notches_make_a_border_irregular() -> None:
    values = [measured(star(depth))["border_irregularity"].value for depth in (0.0, 0.1, 0.25)]
    assert None not in values
    assert values == sorted(values)
    assert values[2] > 1.5


def test_two_colours_vary_by_half_their_distance() -> None:
    lab = GREY.copy()
    lab[:, SIDE // 2 :, 0] += 20
    assert measured(disc(SIDE, SIDE, 80), lab)["colour_variegation"].value == pytest.approx(10, abs=0.1)


def test_millimetres_need_a_scale() -> None:
    lesion = disc(SIDE, SIDE, 80)
    assert measured(lesion)["diameter_mm"].value is None
    scaled = measured(lesion, scale=3.0, pixels_per_mm=48.0)
    assert scaled["diameter_px"].value == pytest.approx(480, abs=6)
    assert scaled["diameter_mm"].value == pytest.approx(10, abs=0.2)
    assert scaled["diameter_mm"].uncertainty is not None


def test_a_lesion_cut_by_the_frame_has_an_area_and_no_shape() -> None:
    cut = np.roll(disc(SIDE, SIDE, 80), SIDE // 2, axis=1)
    cut[:, SIDE // 2 :] = False
    found = measured(cut)
    assert found["area"].value is not None
    assert found["colour_variegation"].value is not None
    assert {found[name].value for name in ("asymmetry", "border_irregularity", "diameter_px")} == {None}


def test_of_two_lesions_alike_none_is_the_main_one() -> None:
    one, half = ellipse(60, 40), np.roll(ellipse(45, 30), 150, axis=0)
    found = measured(one | half)
    assert found["area"].value is not None
    assert {found[name].value for name in NAMES if name != "area"} == {None}
    small = measured(one | np.roll(ellipse(20, 20), 150, axis=0))
    assert small["diameter_px"].value == pytest.approx(120, abs=2)


def test_a_shape_that_hangs_on_a_threshold_is_not_told() -> None:
    lesion, nothing = disc(SIDE, SIDE, 80), np.zeros_like(SKIN)
    wide = np.asarray(lesion | (np.abs(ROWS) < 20), np.bool_)
    for masks in ((lesion, wide, lesion), (lesion, lesion, nothing)):
        found = lesion_geometry(Segmentation(*masks), GREY, SKIN)
        assert {m.value for m in found if "diameter" in m.name or "asymmetry" in m.name} == {None}
    assert found[0].uncertainty == found[0].value  # it may as well be none


def test_where_half_of_the_skin_stands_out_the_other_half_may_be_the_lesion() -> None:
    found = measured(disc(SIDE, SIDE, 160))
    assert found["area"].value == found["area"].uncertainty == pytest.approx(0.5, abs=0.01)
    assert {found[name].value for name in NAMES if name != "area"} == {None}


def test_uncertainty_is_what_other_thresholds_would_give() -> None:
    masks = (disc(SIDE, SIDE, radius) for radius in (80, 90, 70))
    diameter = lesion_geometry(Segmentation(*masks), GREY, SKIN)[4]
    assert diameter.name == "lesion_diameter_px"
    assert diameter.uncertainty == pytest.approx(20, abs=1)


def test_no_lesion_no_geometry() -> None:
    found = lesion_geometry(None, GREY, SKIN)
    assert [measurement.name for measurement in found] == [f"lesion_{name}" for name in NAMES]
    assert {measurement.value for measurement in found} == {None}
    assert {measurement.region for measurement in found} == {"lesion"}

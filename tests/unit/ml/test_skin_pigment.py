from __future__ import annotations

import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.lesion import DIFFERENCES, lesion_contrast
from ml.skin.optics import LOG_BLOOD, LOG_MELANIN, density_table
from ml.skin.outline import Segmentation
from ml.skin.pigment import pigment_maps
from ml.skin.regions import UNKNOWN, Region
from tests.unit.ml.skin_images import MONK, colour, disc, flat, skin_patch

WHOLE = np.ones((64, 64), np.bool_)
SPOT = disc(64, 64, 15)


@pytest.mark.parametrize("swatch", MONK)
def test_indices_of_a_flat_patch_are_the_closed_formulas(swatch: str) -> None:
    red, green, _ = srgb_to_linear(colour(swatch)).astype(np.float64)
    maps, skin = pigment_maps(flat(swatch)), Region(WHOLE)
    erythema, error = skin.mean(maps.erythema)
    assert erythema == pytest.approx(100 * np.log10(red / green), abs=1e-3)
    assert error == pytest.approx(0, abs=1e-4)
    assert skin.mean(maps.melanin_index)[0] == pytest.approx(100 * np.log10(1 / red), abs=1e-3)


def _skin(melanin: float, blood: float) -> np.ndarray:
    """The model's colour, linear, of skin with these volume fractions."""
    row, column = (int(np.abs(axis - np.log(at)).argmin()) for axis, at in ((LOG_BLOOD, blood), (LOG_MELANIN, melanin)))
    return np.exp(-density_table()[row, column])


def _contrast(inside: np.ndarray, outside: np.ndarray) -> dict[str, float | None]:
    """Of a spot of one linear colour on another, as a photo whose rounding is dithered."""
    light = np.where(SPOT[..., None], inside, outside) * np.random.default_rng(3).normal(1, 0.01, (64, 64, 1))
    maps = pigment_maps(linear_to_srgb(light.astype(np.float32)))
    found = lesion_contrast(maps, Segmentation(SPOT, SPOT, SPOT), WHOLE)
    return {measure.name: value for measure, (value, _) in zip(DIFFERENCES, found, strict=True)}


@pytest.mark.parametrize("melanin", [0.03, 0.1, 0.2, 0.3])
def test_a_little_white_on_dark_skin_is_not_less_blood(melanin: float) -> None:
    skin = _skin(melanin, 0.01)
    contrast = _contrast(skin + 0.002, skin)
    assert contrast["haemoglobin_difference"] == pytest.approx(0, abs=0.2)
    assert contrast["melanin_difference"] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("melanin", [0.01, 0.03, 0.1, 0.2, 0.3])
def test_more_blood_is_more_haemoglobin_and_no_more_melanin(melanin: float) -> None:
    contrast = _contrast(_skin(melanin, 0.02), _skin(melanin, 0.006))
    assert contrast["haemoglobin_difference"] == pytest.approx(np.log(0.02 / 0.006), rel=0.5)
    assert contrast["melanin_difference"] == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize("melanin", [0.01, 0.03, 0.1, 0.2, 0.3, 0.4])
def test_more_melanin_is_more_melanin_on_every_tone(melanin: float) -> None:
    contrast = _contrast(_skin(1.5 * melanin, 0.006), _skin(melanin, 0.006))
    assert contrast["melanin_difference"] == pytest.approx(np.log(1.5), rel=0.3)


def test_skin_without_pigment_stands_out_on_dark_skin() -> None:
    contrast = _contrast(_skin(0.005, 0.006), _skin(0.4, 0.006))
    assert contrast["melanin_difference"] == pytest.approx(np.log(0.005 / 0.4), rel=0.2)


def test_shade_changes_the_melanin_index_and_less_so_the_melanin() -> None:
    contrast = _contrast(_skin(0.03, 0.006) * np.exp(-0.1), _skin(0.03, 0.006))
    assert contrast["melanin_difference"] == pytest.approx(0, abs=0.1)
    assert contrast["haemoglobin_difference"] == pytest.approx(0, abs=0.1)
    assert contrast["erythema_index_difference"] == pytest.approx(0, abs=1)
    assert contrast["melanin_index_difference"] == pytest.approx(10 / np.log(10), abs=1)


@pytest.mark.parametrize("swatch", MONK)
def test_the_same_reddening_measures_the_same_on_every_tone(swatch: str) -> None:
    patch = srgb_to_linear(skin_patch(swatch, 64, 64))
    red = patch * np.where(SPOT[..., None], np.array([0.9, 0.7, 0.72], np.float32), 1)
    contrast = lesion_contrast(pigment_maps(linear_to_srgb(red)), Segmentation(SPOT, SPOT, SPOT), WHOLE)
    assert DIFFERENCES[0].name == "erythema_index_difference"
    assert contrast[0][0] == pytest.approx(100 * np.log10(0.9 / 0.7), abs=1)


@pytest.mark.parametrize(("lesion", "skin"), [(None, WHOLE), (SPOT, SPOT)], ids=["no lesion", "no skin around it"])
def test_without_a_lesion_or_its_surroundings_there_is_no_difference(
    lesion: np.ndarray | None, skin: np.ndarray
) -> None:
    found = None if lesion is None else Segmentation(lesion, lesion, lesion)
    assert lesion_contrast(pigment_maps(flat(MONK[3])), found, skin) == (UNKNOWN,) * 4


def test_black_pixels_stay_finite() -> None:
    maps = pigment_maps(np.zeros((4, 4, 3), np.uint8))
    assert np.isfinite([maps.erythema, maps.melanin_index, maps.melanin, maps.haemoglobin]).all()


@pytest.mark.parametrize(("top", "left"), [(0, 0), (21, 40), (52, 70)])
def test_the_maps_of_a_part_are_those_of_the_whole(top: int, left: int) -> None:
    photo = skin_patch(MONK[6], 75, 101)
    maps, box = pigment_maps(photo), (slice(top, top + 23), slice(left, left + 31))
    whole = (maps.erythema, maps.melanin_index, maps.melanin, maps.haemoglobin)
    for part, values in zip(maps.within(box), whole, strict=True):
        assert part == pytest.approx(values[box], abs=1e-5)

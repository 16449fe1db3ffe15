from __future__ import annotations

import numpy as np
import pytest

from ml.skin.colour import linear_to_srgb, srgb_to_linear
from ml.skin.pigment import HAEMOGLOBIN, MELANIN, lesion_contrast, pigment_maps, skin_pigment
from ml.skin.regions import Region
from tests.unit.ml.skin_images import MONK, colour, disc, flat, skin_patch

WHOLE = np.ones((64, 64), np.bool_)
SPOT = disc(64, 64, 15)


@pytest.mark.parametrize("swatch", MONK)
def test_indices_of_a_flat_patch_are_the_closed_formulas(swatch: str) -> None:
    red, green, _ = srgb_to_linear(colour(swatch)).astype(np.float64)
    erythema, melanin = skin_pigment(pigment_maps(flat(swatch)), Region("skin", WHOLE))
    assert erythema.value == pytest.approx(100 * np.log10(red / green), abs=1e-3)
    assert melanin.value == pytest.approx(100 * np.log10(1 / red), abs=1e-3)
    assert erythema.uncertainty == pytest.approx(0, abs=1e-4)


def _tinted(melanin: float, haemoglobin: float, shade: float) -> np.ndarray:
    base = srgb_to_linear(colour(MONK[3])).astype(np.float64)
    density = melanin * np.array(MELANIN) + haemoglobin * np.array(HAEMOGLOBIN) + shade
    return (base * np.exp(-density)).astype(np.float32)


def test_unmixing_finds_the_pigments_that_were_added_and_no_shade() -> None:
    photo = np.where(SPOT[..., None], _tinted(0.4, 0.3, 0.2), _tinted(0, 0, 0)).astype(np.float32)
    contrast = {m.name: m.value for m in lesion_contrast(pigment_maps(linear_to_srgb(photo)), SPOT, ~SPOT)}
    assert contrast["melanin_difference"] == pytest.approx(0.4, abs=0.03)
    assert contrast["haemoglobin_difference"] == pytest.approx(0.3, abs=0.03)


def test_shade_alone_changes_no_pigment() -> None:
    photo = np.where(SPOT[..., None], _tinted(0, 0, 0.5), _tinted(0, 0, 0)).astype(np.float32)
    contrast = {m.name: m.value for m in lesion_contrast(pigment_maps(linear_to_srgb(photo)), SPOT, ~SPOT)}
    assert contrast["melanin_difference"] == pytest.approx(0, abs=0.03)
    assert contrast["haemoglobin_difference"] == pytest.approx(0, abs=0.03)
    assert contrast["erythema_index_difference"] == pytest.approx(0, abs=1)
    assert contrast["melanin_index_difference"] == pytest.approx(50 / np.log(10), abs=1)


@pytest.mark.parametrize("swatch", MONK)
def test_the_same_reddening_measures_the_same_on_every_tone(swatch: str) -> None:
    patch = srgb_to_linear(skin_patch(swatch, 64, 64))
    red = patch * np.where(SPOT[..., None], np.array([0.9, 0.7, 0.72], np.float32), 1)
    contrast = lesion_contrast(pigment_maps(linear_to_srgb(red)), SPOT, ~SPOT)
    assert contrast[0].name == "erythema_index_difference"
    assert contrast[0].value == pytest.approx(100 * np.log10(0.9 / 0.7), abs=1)


@pytest.mark.parametrize(("lesion", "around"), [(None, None), (SPOT, np.zeros_like(SPOT)), (SPOT & False, SPOT)])
def test_without_a_lesion_or_its_surroundings_there_is_no_difference(
    lesion: np.ndarray | None, around: np.ndarray | None
) -> None:
    measured = lesion_contrast(pigment_maps(flat(MONK[3])), lesion, around)
    assert len(measured) == 4
    assert all(m.value is None and m.uncertainty is None for m in measured)


def test_black_pixels_stay_finite() -> None:
    maps = pigment_maps(np.zeros((4, 4, 3), np.uint8))
    assert np.isfinite([maps.erythema, maps.melanin_index, maps.melanin, maps.haemoglobin]).all()

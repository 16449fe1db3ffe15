from __future__ import annotations

import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.optics import LOG_BLOOD, LOG_MELANIN, density_table
from ml.skin.pigment import erythema_index, melanin_index, pigment_maps
from tests.unit.ml.skin_images import MONK, colour, disc, flat

SPOT = disc(64, 64, 15)


@pytest.mark.parametrize("swatch", MONK)
def test_indices_of_a_flat_patch_are_the_closed_formulas(swatch: str) -> None:
    red, green, _ = srgb_to_linear(colour(swatch)).astype(np.float64)
    linear = srgb_to_linear(flat(swatch))
    assert erythema_index(linear) == pytest.approx(100 * np.log10(red / green), abs=1e-3)
    assert melanin_index(linear) == pytest.approx(100 * np.log10(1 / red), abs=1e-3)


def _skin(melanin: float, blood: float) -> np.ndarray:
    """The model's colour, linear, of skin with these volume fractions."""
    row, column = (int(np.abs(axis - np.log(at)).argmin()) for axis, at in ((LOG_BLOOD, blood), (LOG_MELANIN, melanin)))
    return np.exp(-density_table()[row, column])


def _contrast(inside: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
    """The melanin and the haemoglobin of a spot of one linear colour, less those of the other colour around it, in a
    photo whose rounding is dithered."""
    light = np.where(SPOT[..., None], inside, outside) * np.random.default_rng(3).normal(1, 0.01, (64, 64, 1))
    maps = pigment_maps(linear_to_srgb(light.astype(np.float32)))
    around = ~disc(64, 64, 18)
    melanin, haemoglobin = (float(of[SPOT].mean() - of[around].mean()) for of in (maps.melanin, maps.haemoglobin))
    return melanin, haemoglobin


@pytest.mark.parametrize("melanin", [0.03, 0.1, 0.2, 0.3])
def test_a_little_white_on_dark_skin_is_not_less_blood(melanin: float) -> None:
    skin = _skin(melanin, 0.01)
    more_melanin, more_blood = _contrast(skin + 0.002, skin)
    assert more_blood == pytest.approx(0, abs=0.2)
    assert more_melanin == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("melanin", [0.01, 0.03, 0.1, 0.2, 0.3])
def test_more_blood_is_more_haemoglobin_and_no_more_melanin(melanin: float) -> None:
    more_melanin, more_blood = _contrast(_skin(melanin, 0.02), _skin(melanin, 0.006))
    assert more_blood == pytest.approx(np.log(0.02 / 0.006), rel=0.5)
    assert more_melanin == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize("melanin", [0.01, 0.03, 0.1, 0.2, 0.3, 0.4])
def test_more_melanin_is_more_melanin_on_every_tone(melanin: float) -> None:
    more_melanin, _ = _contrast(_skin(1.5 * melanin, 0.006), _skin(melanin, 0.006))
    assert more_melanin == pytest.approx(np.log(1.5), rel=0.3)


def test_skin_without_pigment_stands_out_on_dark_skin() -> None:
    more_melanin, _ = _contrast(_skin(0.005, 0.006), _skin(0.4, 0.006))
    assert more_melanin == pytest.approx(np.log(0.005 / 0.4), rel=0.2)


def test_shade_hardly_looks_like_pigment() -> None:
    skin = _skin(0.03, 0.006)
    assert _contrast(skin * np.exp(-0.1), skin) == pytest.approx((0, 0), abs=0.1)


def test_black_pixels_stay_finite() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    maps, linear = pigment_maps(black), srgb_to_linear(black)
    assert np.isfinite([erythema_index(linear), melanin_index(linear), maps.melanin, maps.haemoglobin]).all()

"""The optical model of skin: physics that must hold whatever the constants."""

from __future__ import annotations

import numpy as np
import pytest

from ml.skin import optics as spectra
from scin.synthetic import optics
from scin.synthetic.render import encode_srgb


def test_a_perfect_white_is_white_in_daylight() -> None:
    white = optics.reflectance_to_linear_srgb(np.ones(spectra.WAVELENGTHS_NM.size))
    assert white == pytest.approx([1.0, 1.0, 1.0], abs=1e-3)


def test_reflectance_is_a_fraction_that_falls_with_either_pigment() -> None:
    melanin, blood = np.geomspace(*optics.MELANIN_RANGE, 40), np.geomspace(*optics.BLOOD_RANGE, 30)
    values = optics.reflectance(melanin[:, None], blood[None, :])
    assert values.min() > 0.0
    assert values.max() < 1.0
    assert (np.diff(values, axis=0) < 0.0).all()
    assert (np.diff(values, axis=1) <= 0.0).all()


def test_blood_shows_haemoglobins_double_band_in_the_green() -> None:
    light = optics.reflectance(0.002, 0.03)
    at = dict(zip(spectra.WAVELENGTHS_NM, light, strict=True))
    assert at[540] < at[510]
    assert at[580] < at[600]
    assert at[650] > 2.0 * at[540]


def tone_colours() -> np.ndarray:
    """(10, 3) L*a*b* of bare skin of the Monk tones."""
    return np.array([optics.lab(melanin, optics.RESTING_BLOOD) for melanin in optics.tone_melanin()])


def test_tones_darken_strictly_and_in_order() -> None:
    colours = tone_colours()
    assert len(colours) == 10
    assert (np.diff(optics.tone_melanin()) > 0).all()
    assert (np.diff(optics.individual_typology_angle(colours)) < -1.0).all()
    assert (np.diff(colours[:, 0]) < 0).all()


def test_tones_reach_the_dark_swatches_and_fall_short_of_the_palest_as_documented() -> None:
    swatches = (94.2, 92.3, 93.1, 87.6, 77.9, 55.1, 42.5, 30.7, 21.1, 14.6)
    colours = tone_colours()
    assert colours[5:, 0] == pytest.approx(swatches[5:], abs=2.5)
    assert 74.0 < colours[0, 0] < 80.0
    assert optics.individual_typology_angle(colours[4]) == pytest.approx(50.0, abs=0.5)


def test_the_colour_table_agrees_with_the_spectral_model() -> None:
    rng = np.random.default_rng(0)
    melanin = np.exp(rng.uniform(*np.log(optics.MELANIN_RANGE), (20, 30)))
    blood = np.exp(rng.uniform(*np.log(optics.BLOOD_RANGE), (20, 30)))
    exact = np.clip(optics.reflectance_to_linear_srgb(optics.reflectance(melanin, blood)), 0.0, 1.0)
    table = optics.colour_of(np.log(melanin).astype(np.float32), np.log(blood).astype(np.float32))
    assert np.abs(table - exact).max() < 1e-3


def test_srgb_encoding_is_exact_to_one_code() -> None:
    codes = np.arange(256)
    encoded = codes / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    back = encode_srgb(np.repeat(linear.astype(np.float32)[None, :, None], 3, axis=2))
    assert np.abs(back[0, :, 0].astype(int) - codes).max() <= 1
    assert encode_srgb(np.array([[[-0.1, 0.0, 1.7]]], np.float32)).tolist() == [[[0, 0, 255]]]

"""Stated uncertainties: every value has one, and it covers what a photo goes through on its way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.catalogue import CATALOGUE
from ml.skin.colour import srgb_to_linear
from ml.skin.declaration import REPEATABILITY, Measure
from ml.skin.frame import Frame, Subject
from ml.skin.measure import either_way
from ml.skin.regions import Value
from ml.values import RGB, Measurement, Zone
from tests.unit.ml.skin_images import MONK, disc, flat, skin_of, skin_patch, with_lesion

TONES = MONK[::3]  # 1, 4, 7 and 10
CHEEK = Zone("left_cheek", ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)))


def smaller(photo: RGB) -> RGB:
    size = round(photo.shape[1] * 0.8), round(photo.shape[0] * 0.8)
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)


def compressed(photo: RGB) -> RGB:
    _, data = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def lighter(photo: RGB) -> RGB:
    return linear_to_srgb(srgb_to_linear(photo) * np.float32(1.05))


def darker(photo: RGB) -> RGB:
    return linear_to_srgb(srgb_to_linear(photo) * np.float32(0.95))


@pytest.mark.parametrize("swatch", TONES)
def test_every_value_has_a_unit_a_region_a_method_and_an_uncertainty(swatch: str) -> None:
    photo = with_lesion(skin_patch(swatch, 900, 1200), disc(900, 1200, 100))
    skin = skin_of(photo, (CHEEK,))
    whole = skin_of(photo)
    for measurement in (*skin.measurements, *whole.measurements, *(skin.zones or ())[0].measurements):
        assert measurement.unit
        assert measurement.method
        assert measurement.region
        assert measurement.value is None or (measurement.uncertainty or 0) > 0, measurement.name


@cache
def before_changes(swatch: str) -> tuple[RGB, tuple[Measurement, ...]]:
    photo = skin_patch(swatch, 480, 640)
    return photo, skin_of(photo).measurements


@pytest.mark.parametrize("change", [smaller, compressed, lighter, darker])
@pytest.mark.parametrize("swatch", TONES)
def test_a_value_moves_by_no_more_than_was_stated(swatch: str, change: Callable[[RGB], RGB]) -> None:
    photo, measured = before_changes(swatch)
    after = {m.name: m.value for m in skin_of(change(photo)).measurements}
    for before in measured:
        if before.value is not None and not before.name.startswith("ita"):
            assert after[before.name] == pytest.approx(before.value, abs=before.uncertainty), before.name


@pytest.mark.parametrize("change", [smaller, compressed, lighter, darker])
@pytest.mark.parametrize("swatch", TONES)
def test_a_lesions_values_move_by_no_more_than_was_stated(swatch: str, change: Callable[[RGB], RGB]) -> None:
    photo = with_lesion(skin_patch(swatch, 480, 640), disc(480, 640, 60), (0.7, 0.6, 0.55))
    after = {m.name: m for m in skin_of(change(photo)).measurements}
    for before in skin_of(photo).measurements:
        if before.region == "lesion" and before.value is not None:
            moved = after[before.name].value
            assert moved is not None
            larger = 1.25 if change is smaller and before.unit == "px" else 1.0
            assert moved * larger == pytest.approx(before.value, abs=before.uncertainty), before.name


def made_of(name: str, value: Value) -> Measurement:
    """What a measure of this name says of a part that has the ``value``."""
    made = Measure(name, "Made", "u", direction="more", description="Made.", method="made", measured=lambda part: value)
    return made.of(Subject(Frame(flat(MONK[4]))).whole, "skin")


def test_error_and_limit_add_as_squares() -> None:
    limit = REPEATABILITY["melanin_index"]["skin"].limit(30.0)
    assert made_of("melanin_index", (30.0, 4.0)).uncertainty == pytest.approx(math.hypot(4.0, limit))
    assert made_of("melanin_index", (30.0, None)).uncertainty == pytest.approx(limit)
    assert made_of("without a limit", (30.0, 4.0)).uncertainty == 4.0


def test_what_was_not_measured_stays_so() -> None:
    found = made_of("lines", (None, None))
    assert (found.value, found.uncertainty) == (None, None)


def test_what_may_as_well_be_otherwise_is_as_unsure_as_the_two_differ() -> None:
    measured = Measurement("redness", 12.0, "a*", "how", "skin", uncertainty=3.0)
    (found,) = either_way([measured], [replace(measured, value=16.0)])
    assert (found.value, found.uncertainty) == (12.0, 5.0)
    (found,) = either_way([measured], [replace(measured, value=None)])
    assert (found.value, found.uncertainty) == (None, None)


def test_two_readings_are_compared_by_name() -> None:
    redness = Measurement("redness", 12.0, "a*", "how", "skin", uncertainty=3.0)
    lines = Measurement("lines", 2.0, "%", "how", "skin", uncertainty=0.3)
    assert either_way([redness, lines], [lines, replace(redness, value=16.0)]) == (
        replace(redness, uncertainty=5.0),
        lines,
    )
    assert either_way([redness, lines], [lines])[0].value is None


def test_every_measure_has_a_fitted_limit_where_it_is_in_every_answer() -> None:
    for name, measure in CATALOGUE.items():
        for kind in measure.standard_regions:
            fitted = REPEATABILITY[name][kind]
            assert fitted.limit(1.0) >= 0, name

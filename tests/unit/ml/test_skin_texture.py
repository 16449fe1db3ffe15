"""Texture of patches of skin of every tone: more of it is measured as more, and what is not texture is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.frame import Frame, Part
from ml.skin.measure import measure_scored
from ml.skin.regions import Region
from ml.skin.texture import LEAST_SIDE, MEASURES, Surface, roughness
from ml.values import RGB, Mask
from tests.unit.ml.skin_images import MONK, skin_of, skin_patch

NAMES = ("lines", "roughness")


def texture(photo: RGB, mask: Mask | None = None) -> dict[str, float | None]:
    frame = Frame(photo)
    skin = np.ones(frame.copy.shape[:2], np.bool_) if mask is None else mask
    part = Part(frame, "skin", skin, Region(skin))
    return {measure.name: measure.measured(part)[0] for measure in MEASURES}


def value(photo: RGB, name: str, mask: Mask | None = None) -> float:
    found = texture(photo, mask)[name]
    assert found is not None
    return found


def darkened(photo: RGB, share: np.ndarray) -> RGB:
    """``photo`` with so much less of its light."""
    return linear_to_srgb(srgb_to_linear(photo) * (1 - share[..., None]).astype(np.float32))


def creases(height: int = 384, width: int = 512, depth: float = 0.3) -> np.ndarray:
    """Bent horizontal creases, about 4 px wide, 40 px apart."""
    rows, columns = np.mgrid[:height, :width]
    return depth * np.exp(-((((rows + 6 * np.sin(columns / 60)) % 40 - 20) / 2.5) ** 2))


def pits(height: int = 384, width: int = 512, depth: float = 0.3) -> np.ndarray:
    """Round marks that darken as much skin as the creases do, 40 px apart."""
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot(rows % 40 - 20, columns % 40 - 20)
    return depth * np.exp(-((away / 6) ** 2))


@pytest.mark.parametrize("size", [(384, 512), (700, 900), (100, 120)])
@pytest.mark.parametrize("rgb", [(190, 140, 110), (20, 40, 220)], ids=["skin", "none"])
def test_a_population_is_measured_as_an_answer_is(size: tuple[int, int], rgb: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(1).normal(0, 8, (*size, 1))
    photo = np.clip(np.array(rgb) + noise, 0, 255).astype(np.uint8)
    whole = {m.name: m for m in skin_of(photo).measurements}
    for found in measure_scored(Frame(photo)):
        same = whole[found.name]
        assert (found.name, found.value, found.method, found.region) == (
            same.name,
            same.value,
            same.method,
            same.region,
        )


@pytest.mark.parametrize("swatch", MONK)
def test_creases_are_lines_on_every_tone(swatch: str) -> None:
    plain = skin_patch(swatch)
    assert value(darkened(plain, creases()), "lines") > 2 * value(plain, "lines") + 2


@pytest.mark.parametrize("swatch", MONK)
def test_a_smoothed_photo_is_less_rough_on_every_tone(swatch: str) -> None:
    photo = darkened(skin_patch(swatch), creases())
    smooth = np.asarray(cv2.GaussianBlur(photo, (0, 0), 6), np.uint8)
    assert value(photo, "roughness") > value(smooth, "roughness")


def test_round_marks_are_less_of_lines_than_creases() -> None:
    plain = skin_patch(MONK[4])
    assert value(darkened(plain, pits()), "lines") < value(darkened(plain, creases()), "lines") / 2


def test_light_ridges_are_no_lines() -> None:
    plain = skin_patch(MONK[5])
    lit = linear_to_srgb(srgb_to_linear(plain) * (1 + creases()[..., None]).astype(np.float32))
    assert 1.5 * value(lit, "lines") < value(darkened(plain, creases()), "lines")


def test_a_slope_of_light_is_no_texture() -> None:
    plain = skin_patch(MONK[4])
    shaded = darkened(plain, np.broadcast_to(np.linspace(0, 0.4, 512), (384, 512)))
    assert value(shaded, "roughness") == pytest.approx(value(plain, "roughness"), rel=0.25)
    assert value(shaded, "lines") == pytest.approx(value(plain, "lines"), abs=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_mirrored_or_turned_photo_measures_the_same(name: str) -> None:
    photo = darkened(skin_patch(MONK[5]), creases())
    for other in (photo[:, ::-1], photo[::-1], np.rot90(photo)):
        assert value(np.ascontiguousarray(other), name) == pytest.approx(value(photo, name), rel=0.01, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_skin_does_not_count(name: str) -> None:
    photo = darkened(skin_patch(MONK[4]), creases())
    mask = np.zeros(photo.shape[:2], np.bool_)
    mask[:, :256] = True
    noisy = photo.copy()
    noisy[:, 256:] = np.random.default_rng(0).integers(0, 256, (384, 256, 3), dtype=np.uint8)
    assert value(noisy, name, mask) == pytest.approx(value(photo, name, mask), rel=1e-3, abs=1e-3)


def test_an_even_patch_has_no_texture() -> None:
    found = texture(np.full((256, 256, 3), (200, 150, 120), np.uint8))
    assert found == {"lines": 0, "roughness": pytest.approx(0, abs=1e-4)}


def test_a_photo_of_too_few_pixels_has_no_texture() -> None:
    photo = darkened(skin_patch(MONK[4], 120, LEAST_SIDE), creases(120, LEAST_SIDE))
    assert None not in texture(photo).values()
    assert set(texture(np.ascontiguousarray(photo[:, 1:])).values()) == {None}


def test_too_small_a_region_has_no_texture() -> None:
    mask = np.zeros((384, 512), np.bool_)
    mask[100:128, 100:128] = True
    assert set(texture(skin_patch(MONK[4]), mask).values()) == {None}


WHOLE = Region(np.ones((64, 64), np.bool_))


def surface(detail: np.ndarray) -> Surface:
    height, width = detail.shape
    return Surface(detail.astype(np.float32), (slice(0, height), slice(0, width)))


def test_roughness_of_a_wave_is_its_root_mean_square() -> None:
    wave = np.broadcast_to(2 * np.sin(np.arange(64) * np.pi / 8), (64, 64))
    value, error = roughness(surface(wave), WHOLE)
    assert value == pytest.approx(np.sqrt(2))
    assert error == pytest.approx(0, abs=1e-3)  # every block has the same


def test_a_hair_counts_by_no_more_than_four_in_lightness() -> None:
    detail = np.zeros((64, 64))
    detail[10] = -60.0
    assert roughness(surface(detail), WHOLE)[0] == pytest.approx(4 / 8)

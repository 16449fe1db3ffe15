"""The colour of a lesion less that of the skin around it, and how certain it is."""

from __future__ import annotations

import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import srgb_to_linear
from ml.skin.frame import Frame
from ml.skin.lesion import DIFFERENCES, lesion_differences
from ml.skin.outline import Segmentation
from ml.skin.regions import UNKNOWN, Value
from ml.values import RGB, Mask
from tests.unit.ml.skin_images import MONK, disc, skin_patch, with_lesion

SKIN = np.ones((200, 300), np.bool_)
LESION, LARGER = disc(200, 300, 30), disc(200, 300, 60)
NOTHING = np.zeros_like(SKIN)


def measured(
    photo: RGB, mask: Mask = LESION, wide: Mask | None = None, narrow: Mask | None = None, skin: Mask = SKIN
) -> dict[str, Value]:
    found = Segmentation(mask, mask if wide is None else wide, mask if narrow is None else narrow)
    values = lesion_differences(Frame(photo), found, skin)
    return {measure.name: value for measure, value in zip(DIFFERENCES, values, strict=True)}


def values(photo: RGB) -> dict[str, float]:
    return {name: value for name, (value, _) in measured(photo).items() if value is not None}


def uncertainty(photo: RGB, mask: Mask = LESION, wide: Mask | None = None, skin: Mask = SKIN) -> float:
    found = measured(photo, mask, wide, skin=skin)["melanin_index_difference"][1]
    assert found is not None
    return found


@pytest.mark.parametrize("swatch", MONK)
def test_a_brown_lesion_is_darker_and_redder_than_the_skin_around_it(swatch: str) -> None:
    found = values(with_lesion(skin_patch(swatch, 200, 300), LESION, (0.5, 0.3, 0.25)))
    assert found["lightness_difference"] < -2
    assert found["redness_difference"] > 0.5
    assert found["colour_difference"] > 2
    assert found["erythema_index_difference"] == pytest.approx(100 * np.log10(0.5 / 0.3), abs=1.5)
    assert found["melanin_index_difference"] == pytest.approx(100 * np.log10(1 / 0.5), abs=1.5)


def test_a_yellow_pale_lesion_is_lighter_and_yellower() -> None:
    found = values(with_lesion(skin_patch(MONK[6], 200, 300), LESION, (1.6, 1.6, 1.1)))
    assert found["lightness_difference"] > 5
    assert found["yellowness_difference"] > 2
    assert found["melanin_index_difference"] < -10


def test_skin_does_not_differ_from_itself() -> None:
    found = values(skin_patch(MONK[4], 200, 300))
    assert found.keys() == {measure.name for measure in DIFFERENCES}
    assert list(found.values()) == pytest.approx([0] * len(found), abs=1)


@pytest.mark.parametrize("name", ["erythema_index_difference", "melanin_index_difference"])
def test_exposure_does_not_change_an_index_difference(name: str) -> None:
    photo = with_lesion(skin_patch(MONK[4], 200, 300), LESION)
    darker = linear_to_srgb(srgb_to_linear(photo) * np.float32(0.6))
    assert values(darker)[name] == pytest.approx(values(photo)[name], abs=0.5)


def test_an_outline_that_is_a_little_too_large_gives_the_same_difference() -> None:
    photo = with_lesion(skin_patch(MONK[4], 200, 300), LESION)
    exact, large = (measured(photo, mask)["lightness_difference"][0] for mask in (LESION, disc(200, 300, 36)))
    assert large == pytest.approx(exact, abs=1)


def test_clipped_pixels_do_not_count() -> None:
    photo = with_lesion(skin_patch(MONK[4], 200, 300), LESION)
    glint = np.where(disc(200, 300, 8)[..., None], np.uint8(255), photo)
    assert list(values(glint).values()) == pytest.approx(list(values(photo).values()), abs=0.2)


def test_lesions_that_differ_make_the_difference_less_certain() -> None:
    one, other = np.roll(LESION, -70, axis=1), np.roll(LESION, 70, axis=1)

    def photo(light: float) -> RGB:
        patch = with_lesion(skin_patch(MONK[4], 200, 300), one, (0.5, 0.5, 0.5))
        return with_lesion(patch, other, (light, light, light))

    assert uncertainty(photo(0.9), one | other) > 2 * uncertainty(photo(0.5), one | other)


def test_another_outline_is_part_of_the_uncertainty() -> None:
    photo = with_lesion(skin_patch(MONK[4], 200, 300), LESION)
    assert uncertainty(photo, wide=LARGER) > uncertainty(photo) + 5


@pytest.mark.parametrize("outline", ["wide", "narrow"])
def test_a_lesion_without_a_narrow_or_a_wide_outline_has_no_difference(outline: str) -> None:
    found = measured(with_lesion(skin_patch(MONK[4], 200, 300), LESION), **{outline: NOTHING})
    assert set(found.values()) == {UNKNOWN}


def test_without_skin_around_or_without_a_lesion_there_is_no_difference() -> None:
    photo = with_lesion(skin_patch(MONK[4], 200, 300), LESION)
    assert set(measured(photo, skin=LESION).values()) == {UNKNOWN}
    assert set(lesion_differences(Frame(photo), None, SKIN)) == {UNKNOWN}

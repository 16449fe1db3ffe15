"""How sure the difference between a lesion and the skin around it is."""

from __future__ import annotations

import numpy as np
import pytest

from ml.skin.lesion import DIFFERENCES, lesion_contrast
from ml.skin.outline import Segmentation
from ml.skin.pigment import pigment_maps
from ml.skin.regions import UNKNOWN, Value
from ml.values import RGB, Mask
from tests.unit.ml.skin_images import MONK, disc, skin_patch, with_lesion

SKIN = np.ones((200, 300), np.bool_)
ONE = np.roll(disc(200, 300, 25), -70, axis=1)
OTHER = np.roll(disc(200, 300, 25), 70, axis=1)
NOTHING = np.zeros_like(SKIN)


def measured(photo: RGB, mask: Mask, wide: Mask | None = None, narrow: Mask | None = None) -> dict[str, Value]:
    found = Segmentation(mask, mask if wide is None else wide, mask if narrow is None else narrow)
    values = lesion_contrast(pigment_maps(photo, SKIN), found, SKIN)
    return {measure.name: value for measure, value in zip(DIFFERENCES, values, strict=True)}


def photo_of(swatch: str, one: float = 0.6, other: float = 0.6) -> RGB:
    patch = with_lesion(skin_patch(swatch, 200, 300), ONE, (one, one, one))
    return with_lesion(patch, OTHER, (other, other, other))


def test_of_lesions_that_differ_the_difference_is_unsure_by_as_much() -> None:
    alike = measured(photo_of(MONK[4]), ONE | OTHER)["melanin_index_difference"]
    unlike = measured(photo_of(MONK[4], 0.8, 0.4), ONE | OTHER)["melanin_index_difference"]
    assert alike[1] is not None
    assert unlike[1] is not None
    assert unlike[1] > alike[1] + 10


def test_what_other_thresholds_would_give_is_part_of_the_uncertainty() -> None:
    photo = photo_of(MONK[4], other=1.0)
    wide = np.roll(disc(200, 300, 60), -70, axis=1)
    sure, unsure = (measured(photo, ONE, outline)["melanin_index_difference"][1] for outline in (ONE, wide))
    assert sure is not None
    assert unsure is not None
    assert unsure > sure + 10


@pytest.mark.parametrize("outline", ["wide", "narrow"])
def test_a_lesion_that_hangs_on_a_threshold_has_no_difference(outline: str) -> None:
    found = measured(photo_of(MONK[4]), ONE, **{outline: NOTHING})
    assert set(found.values()) == {UNKNOWN}


def test_on_dark_skin_where_a_code_is_a_large_step_blood_is_less_sure() -> None:
    uncertainties = [measured(photo_of(swatch), ONE)["haemoglobin_difference"][1] for swatch in MONK[2::3]]
    assert None not in uncertainties
    assert uncertainties == sorted(uncertainties)

"""A reference in the photo makes the skin tone a measurement: in any light, it is the tone in daylight."""

from __future__ import annotations

import numpy as np
import pytest

from ml.imaging.encodings import linear_to_srgb
from ml.skin.colour import linear_to_lab, srgb_to_linear
from ml.skin.frame import Frame, Subject
from ml.skin.measure import measure_skin
from ml.skin.reference import PATCHES, Reference, _powers, calibrate, find_card
from ml.skin.tone import NOT_FOUND, OVEREXPOSED, TOO_UNSURE, tone_of
from ml.values import RGB, Tone
from research.lights import camera, checker_spectra, model_skin, white
from tests.unit.ml.card_images import LIGHTS, relit, with_card, with_checker
from tests.unit.ml.skin_images import MONK, skin_patch

CHECKER, CARD = Reference("colour_checker"), Reference("grey_card", 0.18)
PHOTOS = {"colour_checker": with_checker, "grey_card": with_card}


def measured(photo: RGB, reference: Reference | None) -> Tone:
    return tone_of(Subject(Frame(photo, reference=reference)))


def daylight(photo: RGB) -> float:
    angle = tone_of(Subject(Frame(photo)), full=True).ita_deg
    assert angle is not None
    return angle


@pytest.mark.parametrize("swatch", [MONK[3], MONK[5], MONK[7]])
@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("reference", [CHECKER, CARD], ids=lambda one: one.kind)
def test_with_a_card_the_tone_is_that_of_daylight(reference: Reference, light: str, swatch: str) -> None:
    skin = skin_patch(swatch)
    tone = measured(relit(PHOTOS[reference.kind](skin, 30, 180), light, 0.8), reference)
    assert tone.reference == reference.kind
    assert tone.ita_deg is not None
    assert tone.ita_uncertainty_deg is not None
    assert tone.ita_deg == pytest.approx(daylight(skin), abs=4)
    assert 0 < tone.ita_uncertainty_deg <= 20
    assert tone.monk_range is not None
    assert tone.fitzpatrick_range is not None
    assert tone.monk_estimate in range(tone.monk_range[0], tone.monk_range[1] + 1)
    assert tone.fitzpatrick_estimate in range(tone.fitzpatrick_range[0], tone.fitzpatrick_range[1] + 1)
    assert tone.ita_corrected_deg is None
    assert "same light" in tone.caveat


@pytest.mark.parametrize("reflectance", [0.18, 0.9])
@pytest.mark.parametrize("light", LIGHTS)
def test_with_a_stated_white_point_the_tone_is_that_of_daylight(light: str, reflectance: float) -> None:
    skin, gain = skin_patch(MONK[4]), 0.7
    code = 118 if reflectance == 0.18 else 243
    seen = relit(np.full((50, 50, 3), code, np.uint8), light, gain).reshape(-1, 3).mean(axis=0)
    white = Reference("white_point", reflectance, (round(seen[0]), round(seen[1]), round(seen[2])))
    tone = measured(relit(skin, light, gain), white)
    assert tone.reference == "white_point"
    assert tone.ita_deg == pytest.approx(daylight(skin), abs=4)


def test_every_answer_has_a_measured_tone() -> None:
    photo = with_card(skin_patch(MONK[3]), 30, 180)
    for full in (False, True):
        tone = measure_skin(Subject(Frame(photo, reference=CARD)), full=full).tone
        assert tone is not None
        assert tone.ita_deg is not None


def test_a_stronger_contrast_does_not_mislead_a_checker() -> None:
    skin = skin_patch(MONK[4])
    photo = with_checker(skin, 30, 180).astype(np.float64)
    curved = np.rint(255 * (photo / 255) ** 1.15).astype(np.uint8)
    assert measured(curved, CHECKER).ita_deg == pytest.approx(daylight(skin), abs=4)


@pytest.mark.parametrize("kelvin", [2800, 3500, 4500, 8000])
def test_a_checker_tells_the_light_and_undoes_what_it_does_to_skin(kelvin: int) -> None:
    """White balance alone leaves 4 units of b* at 2,800 K. The patches have measured spectra, the skin those of the
    optical model, and the camera has removed the colour of the light."""
    known, skin = checker_spectra(), model_skin()[::4]
    patches = (camera(known, kelvin) / white(kelvin)).clip(0, 1)
    photo = with_checker(np.zeros((400, 320, 3), np.uint8), 30, 180, patches=linear_to_srgb(patches))
    found = calibrate(photo, CHECKER, photo.shape[:2])
    assert found is not None
    seen = (camera(skin, kelvin) / white(kelvin)).clip(0, 1).astype(np.float32)
    off = linear_to_lab(found.apply(seen)) - linear_to_lab(camera(skin, None).astype(np.float32))
    assert np.abs(np.median(off, axis=0))[[0, 2]].max() < 1.2


def test_a_checker_in_neutral_light_changes_no_hue() -> None:
    photo = with_checker(skin_patch(MONK[4]), 30, 180)
    found = calibrate(photo, CHECKER, photo.shape[:2])
    assert found is not None
    assert found.matrix == pytest.approx(np.eye(3), abs=0.02)


def test_skin_whose_angle_has_no_meaning_is_not_measured() -> None:
    """At L* = 50 and b* = 2, an error of one unit is 27°."""
    grey = np.full((400, 320, 3), (134, 115, 115), np.uint8)
    noise = np.random.default_rng(2).normal(0, 1, grey.shape)
    tone = measured(with_card(np.rint(grey + noise).astype(np.uint8), 30, 180), CARD)
    assert (tone.reference, tone.ita_deg) == (None, None)
    assert tone.caveat.startswith(TOO_UNSURE)


@pytest.mark.parametrize(
    ("reference", "photo"),
    [
        (CHECKER, skin_patch(MONK[4])),
        (CARD, skin_patch(MONK[4])),
        (CARD, with_card(skin_patch(MONK[4]), 30, 180, code=255)),
        (Reference("white_point", 0.9, (255, 250, 240)), skin_patch(MONK[4])),
        (Reference("white_point", 0.9, (0, 0, 0)), skin_patch(MONK[4])),
    ],
    ids=["no checker", "no card", "white card", "too bright", "too dark"],
)
def test_without_the_stated_reference_the_answer_says_so_and_measures_no_tone(reference: Reference, photo: RGB) -> None:
    tone = measured(photo, reference)
    assert (tone.reference, tone.ita_deg) == (None, None)
    assert tone.group is not None
    assert tone.caveat.startswith(NOT_FOUND)


def test_overexposed_skin_is_not_measured() -> None:
    tone = measured(relit(with_checker(skin_patch(MONK[1]), 30, 180), "lamp", 2.0), CHECKER)
    assert tone.reference is None
    assert tone.caveat.startswith((OVEREXPOSED, NOT_FOUND))


def test_a_card_is_found_where_it_lies() -> None:
    card = find_card(with_card(skin_patch(MONK[4]), 30, 180))
    assert card is not None
    rows, columns = np.nonzero(card)  # half the size of the photo
    assert (columns.min(), columns.max()) == pytest.approx((15, 90), abs=4)
    assert (rows.min(), rows.max()) == pytest.approx((90, 145), abs=4)


@pytest.mark.parametrize("swatch", MONK)
def test_skin_alone_is_no_card(swatch: str) -> None:
    assert find_card(skin_patch(swatch)) is None


def test_the_card_is_not_measured_as_skin() -> None:
    photo = with_checker(skin_patch(MONK[4]), 30, 180)
    found = calibrate(photo, CHECKER, photo.shape[:2])
    assert found is not None
    assert found.card is not None
    assert found.card[180:340, 30:270].all()
    assert found.card.mean() < 0.35


def test_a_card_that_is_a_line_of_pixels_is_not_found() -> None:
    photo = np.full((32, 32, 3), (90, 50, 40), np.uint8)
    photo[0] = (205, 160, 135)
    assert calibrate(photo, CARD, (32, 32)) is None


def test_no_checker_is_searched_for_in_a_strip() -> None:
    """OpenCV's detector enlarges the short side to 1,000 pixels: of this strip it would make 64 million pixels, and
    take gigabytes and minutes."""
    strip = np.random.default_rng(0).integers(0, 256, (32, 2048, 3), dtype=np.uint8)
    assert calibrate(strip, CHECKER, (8, 512)) is None


def test_greys_in_the_wrong_order_are_no_checker() -> None:
    greys = range(18, 24)
    true = srgb_to_linear(PATCHES).astype(np.float64)
    codes = PATCHES.astype(np.float64)
    assert _powers(codes, true, greys) is not None
    codes[18:] = codes[18:][::-1]
    assert _powers(codes, true, greys) is None

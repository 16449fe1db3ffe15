from __future__ import annotations

import cv2
import numpy as np
import pytest

from ml.skin.catalogue import CATALOGUE
from ml.values import RGB, Measurement, Skin, Zone
from tests.unit.ml.skin_images import MONK, disc, skin_of, skin_patch, with_lesion

CHEEK = Zone("left_cheek", ((0.55, 0.3), (0.95, 0.3), (0.95, 0.7), (0.55, 0.7)))


def named(skin: Skin) -> dict[str, Measurement]:
    return {measurement.name: measurement for measurement in skin.measurements}


@pytest.mark.parametrize("swatch", MONK)
def test_every_tone_is_measured_in_full(swatch: str) -> None:
    found = named(skin_of(with_lesion(skin_patch(swatch), disc(radius=45))))
    assert "lesion_diameter_mm" not in found  # no scale is known
    assert all(m.value is not None for m in found.values())
    assert all(m.score is None for m in found.values())
    assert found["ita"].uncertainty is not None


def test_names_are_unique_and_values_finite() -> None:
    measurements = skin_of(skin_patch(MONK[5])).measurements
    assert len({m.name for m in measurements}) == len(measurements)
    assert all(m.value is None or np.isfinite(m.value) for m in measurements)


def test_without_skin_nothing_but_its_absence_is_measured() -> None:
    skin = skin_of(np.full((100, 100, 3), (90, 120, 160), np.uint8))
    found = named(skin)
    assert found.pop("skin_coverage").value == 0
    assert {m.value for m in found.values()} == {None}
    assert skin.tone is not None
    assert skin.tone.group is None


def test_plain_skin_has_no_lesion_measurements_but_all_others() -> None:
    found = named(skin_of(skin_patch(MONK[3])))
    of_lesions = {name for name, measure in CATALOGUE.items() if measure.clinical and not measure.needs_scale}
    assert {name for name, m in found.items() if m.value is None} == of_lesions


def test_size_hardly_matters() -> None:
    small = skin_patch(MONK[4])
    large = np.asarray(cv2.resize(small, (1536, 1152), interpolation=cv2.INTER_CUBIC), np.uint8)
    one, other = named(skin_of(small)), named(skin_of(large))
    assert other["ita"].value == pytest.approx(one["ita"].value, abs=0.5)
    assert other["erythema_index"].value == pytest.approx(one["erythema_index"].value, abs=0.3)


def test_zones_not_looked_for_not_found_and_found_differ() -> None:
    photo = skin_patch(MONK[4])
    assert skin_of(photo).zones is None
    assert skin_of(photo, ()).zones == ()
    zones = skin_of(photo, (CHEEK,)).zones
    assert zones is not None
    assert [zone.name for zone in zones] == ["left_cheek"]
    unknown = {m.name for m in zones[0].measurements if m.value is None}
    assert unknown == {"zone_redness_difference"}  # there is no forehead


def test_on_a_face_only_its_zones_are_searched_for_a_lesion() -> None:
    elsewhere = np.zeros((384, 512), np.bool_)
    elsewhere[150:230, 60:140] = True
    photo = with_lesion(skin_patch(MONK[4]), elsewhere)
    assert named(skin_of(photo))["melanin_index_difference"].value is not None
    assert named(skin_of(photo, (CHEEK,)))["melanin_index_difference"].value is None


def test_a_portrait_has_spots_and_no_lesion() -> None:
    mole = np.zeros((384, 512), np.bool_)
    mole[180:210, 370:400] = True
    photo = with_lesion(skin_patch(MONK[4]), mole)
    assert "lesion_asymmetry" in named(skin_of(photo, (CHEEK,)))
    found = named(skin_of(photo, (CHEEK,), portrait=True))
    assert not [m for m in found.values() if "lesion" in m.name or "lesion" in m.region]
    assert found["spot_count"].region == "face"


def test_a_portraits_tone_is_the_faces_not_its_backgrounds() -> None:
    photo = skin_patch(MONK[7])  # a brown wall, as skin-coloured as the face
    photo[100:284, 270:500] = skin_patch(MONK[2], 184, 230)
    skin = skin_of(photo, (CHEEK,))
    assert skin.tone is not None
    assert skin.tone.group == "light"
    assert named(skin)["lightness"].region == "face"


def test_the_photo_is_left_as_it_was() -> None:
    photo = skin_patch(MONK[4])
    before = photo.copy()
    skin_of(photo, (CHEEK,))
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 60), (2, 3000), (3, 3), (700, 33)])
@pytest.mark.parametrize("kind", ["noise", "skin", "black"])
def test_odd_sizes_are_measured_or_said_to_be_unmeasurable(size: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(0)
    photos: dict[str, RGB] = {
        "noise": rng.integers(0, 256, (*size, 3), dtype=np.uint8),
        "skin": np.clip(rng.normal((200, 150, 120), 8, (*size, 3)), 0, 255).astype(np.uint8),
        "black": np.zeros((*size, 3), np.uint8),
    }
    for measurement in skin_of(photos[kind]).measurements:
        assert measurement.value is None or np.isfinite(measurement.value)


def test_lengths_are_in_pixels_of_the_photo_as_sent_and_in_millimetres_by_its_scale() -> None:
    photo = with_lesion(skin_patch(MONK[4]), disc(radius=45))
    found = named(skin_of(photo, width=2048, pixels_per_mm=36.0))
    assert found["lesion_diameter_px"].value == pytest.approx(4 * 90, rel=0.15)
    assert found["lesion_diameter_mm"].value == pytest.approx(10, rel=0.15)


def test_where_skin_is_a_close_call_all_that_hangs_on_it_is_unsure() -> None:
    photo = skin_patch(MONK[4], 256, 256)
    sure = named(skin_of(photo))
    photo[60:180, 2:120] = (60, 140, 60)  # an area that skin hardly shuts from the frame
    unsure = named(skin_of(photo))
    for name, least in (("skin_coverage", 0.2), ("redness", 5.0)):
        assert (unsure[name].uncertainty or 0) > max(least, sure[name].uncertainty or 0), name

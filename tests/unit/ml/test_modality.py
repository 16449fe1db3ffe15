"""What a photo is taken for, and which models answer for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ml.faces import Face
from ml.imaging.decode import decode
from ml.modality import MODALITIES, Routing, dermatoscopic_log_odds, route, skin_log_odds
from ml.skin.colour import working_copy
from ml.skin.segmentation import skin_mask
from ml.skin.signs import Signs, read_signs
from ml.values import NOT_SKIN, RGB, Modality
from scin.synthetic import RenderedView, plan_cases, render_case
from tests.unit.ml.skin_images import MONK, NEUTRAL, disc, skin_on, skin_patch

MONK_TONES = range(1, 11)


def face(score: float) -> Face:
    return Face((10.0, 10.0, 50.0, 50.0), np.zeros((6, 2), np.float32), score)


def signs(photo: RGB) -> Signs:
    small = working_copy(photo)
    return read_signs(small, skin_mask(small))


def look(photo: RGB) -> Routing:
    return route(None, [], signs(photo))


@cache
def generated() -> tuple[RenderedView, ...]:
    return tuple(view for case in plan_cases(10, seed=3) for view in render_case(replace(case, views=case.views[:1])))


@cache
def patch(monk: int = 6) -> Signs:
    return signs(skin_patch(MONK[monk - 1]))


def picture(name: str) -> RGB:
    """One of those inside scikit-image's wheel."""
    import skimage

    return decode((Path(skimage.__file__).parent / "data" / name).read_bytes()).rgb


# by the pixels


@pytest.mark.parametrize("monk", MONK_TONES)
def test_skin_of_every_tone_is_skin(monk: int) -> None:
    assert look(skin_patch(MONK[monk - 1])).skin
    views = [view for view in generated() if view.monk == monk]
    assert views
    assert all(look(view.rgb).skin for view in views)


@pytest.mark.parametrize("monk", MONK_TONES)
@pytest.mark.parametrize("background", ["blue", "green"])
def test_skin_before_cloth_is_a_clinical_photo_of_skin(monk: int, background: str) -> None:
    routing = look(skin_on(NEUTRAL[background], MONK[monk - 1], disc()))
    assert routing.modality.label == "close_up"
    assert routing.note is not None
    assert "clinical" in routing.note


@pytest.mark.parametrize(
    "name", ["chelsea.png", "coffee.png", "text.png", "coins.png", "moon.png", "motorcycle_left.png"]
)
def test_other_things_are_not_skin(name: str) -> None:
    routing = look(picture(name))
    assert routing.modality.label == NOT_SKIN
    assert not routing.lesion
    assert routing.modality.confidence is not None
    assert 0.5 < routing.modality.confidence <= 1


def test_black_corners_change_nothing() -> None:
    """A dermatoscope's round field may leave them."""
    photo = skin_patch(MONK[4])
    rows, columns = (np.linspace(-1, 1, length) for length in photo.shape[:2])
    vignetted = np.where(np.hypot(rows[:, None], columns)[..., None] < 1, photo, 0).astype(np.uint8)
    assert look(vignetted).modality.label == look(photo).modality.label == "dermatoscopic"


def test_size_changes_little() -> None:
    photo = skin_on(NEUTRAL["blue"], MONK[4], disc())
    large = np.repeat(np.repeat(photo, 2, axis=0), 2, axis=1)
    assert skin_log_odds(signs(large)) == pytest.approx(skin_log_odds(signs(photo)), abs=0.3)
    assert dermatoscopic_log_odds(signs(large)) == pytest.approx(dermatoscopic_log_odds(signs(photo)), abs=0.3)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (70, 1), (3, 2)])
def test_tiny_photos_have_signs(size: tuple[int, int]) -> None:
    found = read_signs(np.full((*size, 3), (180, 120, 90), np.uint8), np.ones(size, np.bool_))
    assert np.isfinite(list(vars(found).values())).all()


# faces


@pytest.mark.parametrize("score", [0.7, 0.95])
def test_a_sure_face_is_a_face_whatever_else_is_seen(score: float) -> None:
    assert route(None, [face(score), face(0.6)], patch()).modality == Modality("face", score, None)
    assert not route(None, [face(score)], patch()).lesion


def test_a_doubtful_face_amid_nothing_but_skin_does_not_silence_the_classifier() -> None:
    routing = route(None, [face(0.55)], patch())
    assert (routing.modality.label, routing.lesion) == ("dermatoscopic", True)


def test_a_doubtful_face_before_a_background_is_a_face() -> None:
    scene = signs(skin_on(NEUTRAL["blue"], MONK[4], disc()))
    assert route(None, [face(0.55)], scene).modality.label == "face"


@pytest.mark.parametrize("faces", [None, []])
def test_a_photo_that_shows_nothing_is_undetermined(faces: list[Face] | None) -> None:
    assert route(None, faces, None).modality == Modality(None, None, None)


# what was stated


@pytest.mark.parametrize("stated", MODALITIES)
@pytest.mark.parametrize("faces", [None, [], [face(0.79)]])
def test_what_is_stated_is_followed(stated: str, faces: list[Face] | None) -> None:
    routing = route(stated, faces, patch())
    assert routing.modality == Modality(stated, None, stated)
    assert not routing.conflict
    assert routing.lesion is (stated == "dermatoscopic")


@pytest.mark.parametrize("stated", MODALITIES)
def test_what_is_clearly_not_skin_contradicts_whatever_was_stated(stated: str) -> None:
    routing = route(stated, [], signs(picture("coins.png")))
    assert routing.modality == Modality(NOT_SKIN, None, stated)
    assert (routing.conflict, routing.lesion) == (True, False)


def test_a_clear_face_contradicts_a_dermatoscope_only() -> None:
    for stated in ("face", "close_up"):
        assert not route(stated, [face(0.99)], patch()).conflict
    routing = route("dermatoscopic", [face(0.8)], patch())
    assert (routing.modality.label, routing.conflict, routing.lesion) == ("face", True, False)


def test_a_limb_before_cloth_contradicts_a_dermatoscope() -> None:
    routing = route("dermatoscopic", [], signs(skin_on(NEUTRAL["blue"], MONK[4], disc())))
    assert (routing.modality.label, routing.conflict) == ("close_up", True)


# real photos


def test_real_photos_are_routed(shared_data: Path) -> None:
    clinical, dermatoscopic = (
        [look(decode(path.read_bytes()).rgb) for path in sorted((shared_data / kind).glob("*.jpg"))]
        for kind in ("clinical", "isic")
    )
    assert sum(routing.skin for routing in clinical) >= 0.95 * len(clinical)
    assert sum(routing.lesion for routing in dermatoscopic) >= 0.98 * len(dermatoscopic)

"""Heat maps find what a score depends on, are checked by deletion, and overlays fit the photo."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ml.analysis.explain import GRID, heat_map, heat_picture, map_picture, mask_picture, measured
from ml.skin.frame import Frame, Subject
from ml.values import RGB, Zone
from tests.unit.ml.skin_images import MONK, skin_patch


def spotted(top: int, left: int) -> RGB:
    """Grey, with a bright square of 40 px."""
    photo = np.full((160, 240, 3), 60, np.uint8)
    photo[top : top + 40, left : left + 40] = 250
    return photo


def brightest_share(photos: Sequence[RGB]) -> NDArray[np.float32]:
    """A score that depends on the bright square alone."""
    return np.array([(photo > 200).mean() for photo in photos], np.float32)


@pytest.mark.parametrize(("top", "left"), [(20, 30), (100, 180)])
def test_the_map_is_hot_where_the_score_comes_from(top: int, left: int) -> None:
    found = heat_map(spotted(top, left), brightest_share)
    row, column = np.unravel_index(int(found.importance.argmax()), found.importance.shape)
    assert abs((row + 0.5) * 160 / GRID - (top + 20)) <= 30
    assert abs((column + 0.5) * 240 / GRID - (left + 20)) <= 40
    assert found.importance.max() == 1
    assert found.importance.min() >= 0
    assert found.deletion_score is not None
    assert found.deletion_score > 0.5


def test_a_score_that_depends_on_nothing_has_a_deletion_score_of_nothing() -> None:
    found = heat_map(spotted(20, 30), lambda photos: np.full(len(photos), 0.7, np.float32))
    assert (found.importance.max(), found.deletion_score) == (0, 0)


def test_where_there_was_no_score_there_is_no_deletion_score() -> None:
    assert heat_map(spotted(20, 30), lambda photos: np.zeros(len(photos), np.float32)).deletion_score is None


def test_few_copies_of_the_photo_are_held_at_once() -> None:
    batches: list[int] = []

    def score(photos: Sequence[RGB]) -> NDArray[np.float32]:
        batches.append(len(photos))
        return brightest_share(photos)

    heat_map(spotted(20, 30), score)
    assert max(batches) <= 8
    assert sum(batches) == 55


def test_a_photo_is_explained_without_being_changed() -> None:
    photo = spotted(20, 30)
    heat_map(photo, brightest_share)
    assert (photo == spotted(20, 30)).all()


def opened(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def test_pictures_are_transparent_where_there_is_nothing() -> None:
    mask = np.zeros((40, 60), np.bool_)
    mask[10:30, 20:50] = True
    tinted = opened(mask_picture(mask, (200, 0, 10)))
    assert tinted.shape == (40, 60, 4)
    assert (tinted[..., 3] > 0).tolist() == mask.tolist()
    assert tinted[20, 30, :3].tolist() == [10, 0, 200]  # OpenCV reads blue first
    values = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (40, 1))
    strengths = opened(map_picture(values, mask, (90, 40, 0)))[20, :, 3].astype(int)
    assert strengths[:20].max() == strengths[50:].max() == 0
    assert (np.diff(strengths[20:50]) >= 0).all()
    assert strengths[49] > strengths[21]


def test_a_heat_picture_has_the_size_of_the_photo() -> None:
    importance = np.zeros((GRID, GRID), np.float32)
    importance[0, 0] = 1
    picture = opened(heat_picture(importance, 90, 120))
    assert picture.shape == (90, 120, 4)
    assert picture[2, 2, 3] > 150
    assert picture[80, 110, 3] == 0


def seen(photo: RGB, zones: Sequence[Zone] | None = None) -> Subject:
    return Subject(Frame(photo), zones)


def test_what_was_measured_is_shown_in_the_photos_shape() -> None:
    overlays = measured(seen(skin_patch(MONK[5], 160, 200)))
    assert overlays[0].name == "skin_mask"
    assert {"melanin", "haemoglobin"} <= {overlay.name for overlay in overlays}
    for overlay in overlays:
        assert overlay.media_type == "image/png"
        assert opened(overlay.data).shape == (160, 200, 4)
        assert overlay.deletion_score is None


def test_a_dark_spot_is_shown_as_a_lesion() -> None:
    photo = skin_patch(MONK[4], 200, 200)
    cv2.circle(photo, (100, 100), 30, (90, 50, 40), -1)
    overlays = {overlay.name: overlay for overlay in measured(seen(photo))}
    assert [name for name, overlay in overlays.items() if overlay.clinical] == ["lesion"]
    lesion = opened(overlays["lesion"].data)
    assert lesion[100, 100, 3] > 0
    assert lesion[20, 20, 3] == 0


def test_a_faces_zones_are_shown_and_no_lesion_is_sought_in_it() -> None:
    corners = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.4), (0.2, 0.4))
    photo = skin_patch(MONK[4], 200, 200)
    cv2.circle(photo, (100, 100), 30, (90, 50, 40), -1)
    names = [overlay.name for overlay in measured(seen(photo, (Zone("forehead", corners),)))]
    assert "zones" in names
    assert "lesion" not in names


def test_nothing_but_an_empty_mask_is_shown_where_there_is_no_skin() -> None:
    overlays = measured(seen(np.full((60, 80, 3), (0, 0, 255), np.uint8)))
    assert [overlay.name for overlay in overlays] == ["skin_mask"]
    assert opened(overlays[0].data)[..., 3].max() == 0

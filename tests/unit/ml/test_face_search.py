"""Which face is measured: in photos as they should be, on their side, upside down and in black and white."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from ml.imaging.decode import decode
from ml.models.face_search import FaceSearch, PlacedFace, find_face, find_face_again, turned
from ml.models.faces import Face, FaceDetector
from ml.skin.colour import working_copy
from ml.values import RGB
from tests.unit.ml.case import face, round_mesh

ROUND = round_mesh()


def in_colour(photo: RGB) -> RGB:
    return photo


def in_grey(photo: RGB) -> RGB:
    return np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def search(detector: FaceDetector, photo: RGB) -> FaceSearch:
    """Both looks, as the analyzer has them at a photo that does not look like skin."""
    small = working_copy(photo)
    first = find_face(detector, photo, small)
    return first if first.sure else find_face_again(detector, photo, small, first, thorough=True)


def portrait() -> RGB:
    return np.asarray(data.astronaut()[:400], np.uint8)


def landmarks(found: FaceSearch) -> np.ndarray:
    assert found.placed is not None
    return found.placed.landmarks[:, :2]


def turned_points(points: np.ndarray, photo: RGB, turns: int) -> np.ndarray:
    """Where ``points`` (n, 2) of ``photo`` lie after quarter turns to the left."""
    height, width = photo.shape[:2]
    for _ in range(turns):
        points = np.stack([points[:, 1], width - 1 - points[:, 0]], axis=1)
        height, width = width, height
    return points


@pytest.mark.models
@pytest.mark.parametrize("shade", [in_colour, in_grey])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_face_is_found_with_its_landmarks(
    detector: FaceDetector, shade: Callable[[RGB], RGB], turns: int
) -> None:
    upright = shade(portrait())
    found = search(detector, turned(upright, turns))
    assert found.turns == 4 - turns
    expected = turned_points(landmarks(search(detector, upright)), upright, turns)
    width = np.linalg.norm(expected[234] - expected[454])
    assert np.linalg.norm(landmarks(found) - expected, axis=1).max() < 0.05 * width


@pytest.mark.models
@pytest.mark.parametrize("shade", [in_colour, in_grey])
def test_an_upright_face_needs_no_second_look(detector: FaceDetector, shade: Callable[[RGB], RGB]) -> None:
    photo = shade(portrait())
    found = find_face(detector, photo, photo)
    assert found.sure
    assert found.turns == 0


@pytest.mark.models
@pytest.mark.parametrize("picture", [data.coffee, data.cat, data.text, data.coins, data.moon, data.rocket])
def test_no_face_is_found_in_other_pictures_however_they_are_turned(
    detector: FaceDetector, picture: Callable[[], np.ndarray]
) -> None:
    photo = picture()
    rgb = np.ascontiguousarray(photo if photo.ndim == 3 else np.repeat(photo[..., None], 3, axis=2))
    assert search(detector, rgb).placed is None


@pytest.mark.models
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_portraits_are_found_whichever_way_they_are_turned(
    detector: FaceDetector, shared_data: Path, turns: int
) -> None:
    for file in sorted((shared_data / "faces").glob("*.[jp][pn]g")):
        photo = decode(file.read_bytes()).rgb
        for shade in (in_colour, in_grey):
            found = search(detector, turned(shade(photo), turns))
            assert found.placed is not None, file.name
            assert found.turns == (4 - turns) % 4, file.name


def placed(score: float, apart: float) -> FaceSearch:
    """A face whose keypoints lie ``apart`` from its landmarks, in lengths of the face."""
    sure = face(score)
    length = np.linalg.norm(ROUND[10, :2] - ROUND[152, :2])
    width = np.linalg.norm(ROUND[234, :2] - ROUND[454, :2])
    moved = sure.keypoints + np.array([apart * max(length, width), 0], np.float32)
    return FaceSearch(1, PlacedFace(Face(sure.box, moved, score), ROUND))


def test_two_models_that_differ_disagree_in_lengths_of_the_face() -> None:
    for apart in (0.0, 0.07, 0.5):
        found = placed(0.9, apart).placed
        assert found is not None
        assert found.disagreement == pytest.approx(apart, abs=1e-5)


def test_a_face_is_sure_where_its_score_is_high_and_both_models_agree() -> None:
    assert placed(0.7, 0.05).sure
    assert not placed(0.6, 0.05).sure
    assert not placed(0.9, 0.15).sure
    assert not FaceSearch(0, None).sure


class Shows:
    """A detector that finds faces as it was told, and landmarks that are always the same."""

    def __init__(self, large: dict[int, list[Face]], turned: dict[int, list[Face]]) -> None:
        self._large, self._turned = large, turned

    def detect(self, rgb: RGB, small: RGB, turns: int = 0) -> list[Face]:
        return self._turned.get(turns, [])

    def detect_large(self, rgb: RGB, small: RGB) -> tuple[list[Face], ...]:
        return tuple(self._large.get(turns, []) for turns in range(4))

    def landmarks(self, rgb: RGB, where: Face) -> np.ndarray:
        return ROUND


def again(shows: Shows, first: FaceSearch, *, thorough: bool = False) -> FaceSearch:
    photo = portrait()
    return find_face_again(shows, photo, photo, first, thorough=thorough)  # type: ignore[arg-type]


def test_the_clearest_face_is_taken() -> None:
    upright = placed(0.6, 0.2)
    assert again(Shows({2: [face(0.55)]}, {}), upright).turns == 2  # lower score, but the models agree
    assert again(Shows({2: [face(0.3)]}, {}), upright) is upright
    assert again(Shows({1: [face(0.6)], 3: [face(0.7)]}, {}), FaceSearch(0, None)).turns == 3


def test_small_turned_faces_are_sought_only_where_that_is_asked() -> None:
    shows = Shows({}, {3: [face(0.8)]})
    assert again(shows, FaceSearch(0, None), thorough=True).turns == 3
    assert again(shows, FaceSearch(0, None)).placed is None


def test_at_the_second_look_both_models_must_agree() -> None:
    unlike = placed(0.9, 0.2).placed
    assert unlike is not None
    assert again(Shows({1: [unlike.face]}, {}), FaceSearch(0, None)).placed is None

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from ml.errors import ArtifactError
from ml.imaging.decode import decode
from ml.models.faces import KEYPOINTS, LANDMARKS, MIRRORED, Face, FaceDetector
from ml.skin.face import RINGS, face_zones
from ml.values import RGB
from tests.unit.ml.skin_images import skin_of

# Landmarks of the midline, and mirrored pairs of them: outer and inner eye corners, mouth, cheeks, brows.
MIDLINE = (10, 9, 168, 4, 0, 17, 152)
PAIRS = ((33, 263), (133, 362), (61, 291), (234, 454), (105, 334), (50, 280), (98, 327))


def portrait() -> RGB:
    return np.asarray(data.astronaut(), np.uint8)


def only(faces: list[Face]) -> Face:
    assert len(faces) == 1
    return faces[0]


def mesh(detector: FaceDetector, photo: RGB) -> np.ndarray:
    landmarks = detector.landmarks(photo, only(detector.detect(photo)))
    assert landmarks is not None
    assert landmarks.shape == (468, 3)
    return landmarks


def test_a_missing_model_stops_the_load(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        FaceDetector(tmp_path / "a.tflite", tmp_path / "b.tflite")


@pytest.mark.models
def test_a_face_is_found_where_it_is(detector: FaceDetector) -> None:
    face = only(detector.detect(portrait()))
    left, top, right, bottom = face.box
    assert 0.5 <= face.score <= 1
    assert (left, right) == pytest.approx((174, 279), abs=12)
    assert (top, bottom) == pytest.approx((70, 175), abs=12)
    points = dict(zip(KEYPOINTS, face.keypoints, strict=True))
    assert points["right_eye"][0] < points["nose_tip"][0] < points["left_eye"][0]
    assert points["right_eye"][1] < points["nose_tip"][1] < points["mouth"][1]


def widths_apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far apart landmarks lie, in widths of the face."""
    return np.linalg.norm(one[:, :2] - other[:, :2], axis=1) / np.linalg.norm(one[234, :2] - one[454, :2])


def apart_when_mirrored(detector: FaceDetector, photo: RGB) -> np.ndarray:
    straight, mirrored = mesh(detector, photo), mesh(detector, np.ascontiguousarray(photo[:, ::-1]))[MIRRORED]
    mirrored[:, 0] = photo.shape[1] - 1 - mirrored[:, 0]
    return widths_apart(straight, mirrored)


def apart_when_turned(detector: FaceDetector, photo: RGB, degrees: float) -> np.ndarray:
    """Turned about the face, in a frame of the same size."""
    straight = mesh(detector, photo)
    x, y = straight[:, :2].mean(axis=0).tolist()
    turn = cv2.getRotationMatrix2D((x, y), degrees, 1.0)
    found = mesh(detector, np.asarray(cv2.warpAffine(photo, turn, photo.shape[1::-1]), np.uint8))
    return widths_apart(straight[:, :2] @ turn[:, :2].T + turn[:, 2], found)


@pytest.mark.models
def test_a_mirrored_face_has_mirrored_landmarks(detector: FaceDetector) -> None:
    assert apart_when_mirrored(detector, portrait()).max() < 0.03


@pytest.mark.models
@pytest.mark.parametrize("degrees", [-10, 10])
def test_every_landmark_turns_with_the_face(detector: FaceDetector, degrees: float) -> None:
    assert apart_when_turned(detector, portrait(), degrees).max() < 0.03


@pytest.mark.models
@pytest.mark.parametrize("name", ["biden2.jpg", "obama.jpg", "obama2.jpg", "obama_small_320x240.jpg"])
def test_landmarks_of_portraits_agree_with_themselves(detector: FaceDetector, shared_data: Path, name: str) -> None:
    photo = decode((shared_data / "faces" / name).read_bytes()).rgb
    assert apart_when_mirrored(detector, photo).max() < 0.03
    assert all(apart_when_turned(detector, photo, degrees).max() < 0.03 for degrees in (-10, 10))


@pytest.mark.models
def test_the_portraits_hold_the_faces_that_they_show(detector: FaceDetector, shared_data: Path) -> None:
    for file in sorted((shared_data / "faces").glob("*.*")):
        if file.suffix == ".md":
            continue
        photo = decode(file.read_bytes()).rgb
        faces = detector.detect(photo)
        assert len(faces) == (2 if file.stem in {"obama_and_biden", "two_people"} else 1), file.name
        assert all(detector.landmarks(photo, face) is not None for face in faces), file.name


def test_mirroring_twice_gives_the_same_landmark() -> None:
    assert np.array_equal(MIRRORED[MIRRORED], np.arange(LANDMARKS))
    assert all(MIRRORED[right] == left for right, left in PAIRS)
    assert all(MIRRORED[point] == point for point in MIDLINE)


@pytest.mark.models
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_landmarks_do_not_depend_on_the_photos_size(detector: FaceDetector, scale: float) -> None:
    photo = portrait()
    resized = np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    straight, other = mesh(detector, photo), mesh(detector, resized) / scale
    width = np.linalg.norm(straight[234, :2] - straight[454, :2])
    assert np.linalg.norm(straight - other, axis=1).mean() < 0.04 * width


@pytest.mark.models
@pytest.mark.parametrize("degrees", [-30, 30])
def test_a_tilted_face_has_tilted_landmarks(detector: FaceDetector, degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((226.0, 122.0), degrees, 1.0)
    photo = portrait()
    tilted = np.asarray(cv2.warpAffine(photo, turn, (512, 512)), np.uint8)
    straight, found = mesh(detector, photo), mesh(detector, tilted)
    expected = straight[:, :2] @ turn[:, :2].T + turn[:, 2]
    width = np.linalg.norm(straight[234, :2] - straight[454, :2])
    assert np.linalg.norm(expected - found[:, :2], axis=1).mean() < 0.06 * width


def turned(photo: RGB, turns: int) -> RGB:
    return np.ascontiguousarray(np.rot90(photo, turns))


@pytest.mark.models
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_turned_face_is_where_it_is_in_the_photo_as_it_was_sent(detector: FaceDetector, turns: int) -> None:
    photo = turned(portrait()[:400], turns)  # not square: both sides must come back right
    face = only(detector.detect(photo, turns=(4 - turns) % 4))
    assert face.score > 0.9
    left, top, right, bottom = (round(side) for side in face.box)
    eyes, mouth = face.keypoints[:2].mean(axis=0), face.keypoints[3]
    assert left < min(eyes[0], mouth[0]) < max(eyes[0], mouth[0]) < right
    assert top < min(eyes[1], mouth[1]) < max(eyes[1], mouth[1]) < bottom
    upright = only(detector.detect(portrait()[:400]))
    assert np.ptp(face.box[::2]) == pytest.approx(np.ptp(upright.box[::2]), abs=3)
    down = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)][turns])  # from the eyes to the mouth, after turning left
    assert (mouth - eyes) @ down > 0.9 * np.linalg.norm(mouth - eyes)


@pytest.mark.models
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_face_that_fills_the_photo_is_found_whichever_way_it_is_turned(detector: FaceDetector, turns: int) -> None:
    photo = turned(portrait()[55:185, 160:285], turns)
    found = detector.detect_large(photo)
    upright_after = (4 - turns) % 4
    assert max(range(4), key=lambda way: found[way][0].score if found[way] else 0) == upright_after
    face = found[upright_after][0]
    assert detector.landmarks(photo, face) is not None
    middle = np.array(face.box).reshape(2, 2).mean(axis=0)
    assert middle == pytest.approx(np.array(photo.shape[1::-1]) / 2, abs=12)


@pytest.mark.models
@pytest.mark.parametrize("picture", [data.coffee, data.cat, data.text, data.coins, data.moon, data.rocket])
def test_no_face_in_other_pictures(detector: FaceDetector, picture: Callable[[], np.ndarray]) -> None:
    photo = picture()
    rgb = photo if photo.ndim == 3 else np.repeat(photo[..., None], 3, axis=2)
    assert detector.detect(np.ascontiguousarray(rgb)) == []


@pytest.mark.models
def test_two_faces_are_two_whatever_the_shape_of_the_photo(detector: FaceDetector) -> None:
    two = np.ascontiguousarray(np.concatenate([portrait(), portrait()[:, ::-1]], axis=1)[:300])
    faces = detector.detect(two)
    assert len(faces) == 2
    assert sorted(face.box[0] > 512 for face in faces) == [False, True]
    assert faces[0].score >= faces[1].score


@pytest.mark.models
def test_a_face_cut_by_the_frame_is_found_with_fewer_zones(detector: FaceDetector) -> None:
    cut = np.ascontiguousarray(portrait()[:, :245])
    face = only(detector.detect(cut))
    assert face.box[2] > 245
    landmarks = detector.landmarks(cut, face)
    assert landmarks is not None
    zones = face_zones(landmarks, 245, 512)
    assert "right_cheek" in {zone.name for zone in zones}
    assert "left_cheek" not in {zone.name for zone in zones}


@pytest.mark.models
def test_no_landmarks_where_there_is_no_face(detector: FaceDetector) -> None:
    face = only(detector.detect(portrait()))
    assert detector.landmarks(np.ascontiguousarray(data.coffee()), face) is None


@pytest.mark.models
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (40, 3000)])
def test_odd_sizes_hold_no_face(detector: FaceDetector, size: tuple[int, int]) -> None:
    assert detector.detect(np.full((*size, 3), 120, np.uint8)) == []


@pytest.mark.models
def test_every_zone_of_a_face_is_shown_and_measured(detector: FaceDetector) -> None:
    photo = portrait()
    zones = skin_of(photo, face_zones(mesh(detector, photo), 512, 512)).zones
    assert zones is not None
    assert {zone.name for zone in zones} == set(RINGS)
    for zone in zones:
        measured = {m.name: m.value for m in zone.measurements}
        assert measured["lightness"] is not None
        assert 20 < measured["lightness"] < 95
        assert measured["redness"] is not None
        assert measured["redness"] > 0

"""Detects faces with MediaPipe's full-range detector and face mesh: boxes, six keypoints and 468 landmarks.

It does not recognise people: nothing that it returns can tell one person from another. The geometry follows MediaPipe's
published graphs: Bazarevsky et al., BlazeFace (2019); Kartynnik et al., Real-time Facial Surface Geometry (2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.models.litert_runtime import LiteRTModel
from ml.models.runtime import run
from ml.values import RGB

KEYPOINTS = ("right_eye", "left_eye", "nose_tip", "mouth", "right_ear", "left_ear")  # right and left of the person

LANDMARKS = 468
#: landmarks that are their own mirror image
_MIDLINE = (0, 1, 2, 4, 5, 6, *range(8, 20), 94, 151, 152, 164, 168, 175, 195, 197, 199, 200)
#: landmarks of the person's right half. The landmarks from 248 on are their mirror images, in the same order. Found by
#: running the mesh on faces and on their mirror images.
_RIGHT_HALF = np.setdiff1d(np.arange(248), _MIDLINE)
#: (468,): for each landmark the number of its mirror image
MIRRORED = np.arange(LANDMARKS)
MIRRORED[_RIGHT_HALF], MIRRORED[248:] = np.arange(248, LANDMARKS), _RIGHT_HALF

_INPUT = 192  # both models, pixels
_CELLS = 48  # the full-range model's grid: one anchor at the centre of each 4-pixel cell
_BOX_MARGIN = 1.5  # side of the square for the mesh over that of the detected box, as in its training
_MESH_MARGIN = 1.65  # side of the square over that of the box around the landmarks: the most accurate value
_MIN_LOGIT = 0.0  # of both models' outputs for "this is a face": a probability of .5
_MAX_OVERLAP = 0.3  # intersection over union; above it two boxes are one face

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Face:
    """A detected face, in pixels of the photo, with the origin at the top left.

    ``box``: (left, top, right, bottom), partly outside the photo if the frame cuts the face. ``keypoints``: (6, 2), x
    and y, in the order of ``KEYPOINTS``. ``score``: the detector's probability, 0–1.
    """

    box: tuple[float, float, float, float]
    keypoints: Floats
    score: float


class FaceDetector:
    """Detects faces and their landmarks. Safe to use from several threads."""

    def __init__(self, detector: Path, mesh: Path) -> None:
        """``detector``: face_detection_full_range.tflite; ``mesh``: face_landmark.tflite.

        Raises ArtifactError if a file is missing or is not a model.
        """
        self.runtime = LiteRTModel(detector)
        self._mesh = LiteRTModel(mesh)

    def detect(self, rgb: RGB, small: RGB | None = None, turns: int = 0) -> list[Face]:
        """Faces in ``rgb`` (H, W, 3), best score first; empty if there is none.

        ``small``: a smaller copy of ``rgb`` with at least 192 pixels on its long side, which saves time. ``turns``: the
        quarter turns to the left, 0–3, that are applied before detection. Coordinates are always those of ``rgb``
        itself. Raises ModelError.
        """
        square = _letterbox(rgb, small)
        points, scores = self._run(np.ascontiguousarray(np.rot90(square.canvas, turns, axes=(1, 2))))
        return _merge(square.in_photo(_turned_back(points, turns)), scores)

    def detect_large(self, rgb: RGB, small: RGB | None = None) -> tuple[list[Face], ...]:
        """Faces that fill much of ``rgb`` (H, W, 3), which ``detect`` may miss. Returns four lists: the faces that are
        upright after 0, 1, 2 and 3 quarter turns to the left, best score first.

        The detector runs once, on four copies of the photo side by side, each at half its usual scale. It misses faces
        smaller than a fifth of the photo's long side. ``small``: as in ``detect``. Raises ModelError.
        """
        square = _letterbox(rgb, small)
        points, scores = self._run(_four_ways(square.canvas))
        x, y = points[:, :2].mean(axis=1).T
        found = []
        for turns in range(4):
            column, row = turns % 2, turns // 2
            there = ((x >= 0.5) == column) & ((y >= 0.5) == row)
            whole = points[there] * 2 - np.array([column, row], np.float32)
            found.append(_merge(square.in_photo(_turned_back(whole, turns)), scores[there]))
        return tuple(found)

    def _run(self, canvas: Floats) -> tuple[Floats, Floats]:
        """Points (n, 8, 2) and scores (n,) of candidates. Points are fractions of the ``canvas`` (1, 192, 192, 3)."""
        regressors, logits = run("the face detector", self.runtime, canvas)
        logits = logits.reshape(-1)
        kept = logits >= _MIN_LOGIT
        return _decode(regressors[0])[kept], np.asarray(1 / (1 + np.exp(-logits[kept])), np.float32)

    def landmarks(self, rgb: RGB, face: Face) -> Floats | None:
        """The landmarks (468, 3) of a face that was detected in ``rgb`` (H, W, 3), or None if the mesh finds no face.

        x and y are in pixels of ``rgb``, outside it where the frame cuts the face. z is the depth relative to the
        head's centre in the same unit, negative towards the camera. Raises ModelError.

        The mesh runs twice, because the detected box jumps with the detector's grid. The first landmarks only give the
        region for the second run.
        """
        roughly = self._place(rgb, _box_region(face))
        return None if roughly is None else self._place(rgb, _mesh_region(roughly))

    def _place(self, rgb: RGB, region: _Region) -> Floats | None:
        """The landmarks (468, 3) of the face in ``region``, or None. They are the mean of the landmarks in the crop and
        in its mirror image, because their left and right errors cancel."""
        to_crop = region.to_crop()
        crop = np.asarray(_warp(rgb, to_crop, region.side) / 255, np.float32)
        points = self._mesh_of(crop)
        if points is None:
            return None
        if (other := self._mesh_of(np.ascontiguousarray(crop[:, ::-1]))) is not None:
            other[:, 0] = _INPUT - 1 - other[:, 0]
            points = np.asarray((points + other[MIRRORED]) / 2, np.float32)
        back = cv2.invertAffineTransform(to_crop)
        points[:, :2] = points[:, :2] @ back[:, :2].T + back[:, 2]
        points[:, 2] *= region.side / _INPUT
        return points

    def _mesh_of(self, crop: Floats) -> Floats | None:
        """Landmarks (468, 3) in pixels of ``crop`` (192, 192, 3), 0–1; None if it shows no face."""
        mesh, presence = run("the face mesh", self._mesh, crop[None])
        return None if presence.item() < _MIN_LOGIT else mesh.reshape(LANDMARKS, 3)


@dataclass(frozen=True)
class _Region:
    """A square of a photo, turned by ``degrees``, that is the mesh's input. Lengths are in pixels of the photo."""

    centre: tuple[float, float]
    degrees: float
    side: float

    def to_crop(self) -> NDArray[np.float64]:
        """The affine map (2, 3) from pixels of the photo to pixels of the crop. It maps centre to centre."""
        matrix = np.asarray(cv2.getRotationMatrix2D(self.centre, self.degrees, _INPUT / self.side), np.float64)
        matrix[:, 2] += (_INPUT - 1) / 2 - np.array(self.centre)
        return matrix


@dataclass(frozen=True, eq=False)
class _Square:
    """A photo in the middle of a black square. ``canvas``: (1, 192, 192, 3), −1 to 1. ``scale``: pixels of the canvas
    per pixel of the photo. ``corner``: (x, y) of the photo's upper left corner on the canvas."""

    canvas: Floats
    scale: float
    corner: Floats

    def in_photo(self, points: Floats) -> Floats:
        """Points (…, 2) from fractions of the square to pixels of the photo."""
        return np.asarray((points * _INPUT - self.corner) / self.scale, np.float32)


def _letterbox(rgb: RGB, small: RGB | None) -> _Square:
    height, width = rgb.shape[:2]
    scale = _INPUT / max(height, width)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (_INPUT - wide) // 2, (_INPUT - high) // 2
    canvas = np.zeros((1, _INPUT, _INPUT, 3), np.float32)
    canvas[0, top : top + high, left : left + wide] = cv2.resize(
        rgb if small is None else small,
        (wide, high),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    return _Square(canvas / np.float32(127.5) - 1, scale, np.array([left, top], np.float32))


def _turned_back(points: Floats, turns: int) -> Floats:
    """Undo ``turns`` quarter turns to the left of points (n, 8, 2), which are fractions of a square."""
    for _ in range(turns):
        points = np.stack([1 - points[..., 1], points[..., 0]], axis=-1)
    corners = np.sort(points[:, :2], axis=1)  # upper left corner of the box, then lower right
    return np.concatenate([corners, points[:, 2:]], axis=1)


def _four_ways(canvas: Floats) -> Floats:
    """A canvas (1, 192, 192, 3) whose quarters, row by row, show ``canvas`` after 0, 1, 2 and 3 quarter turns to the
    left."""
    half = canvas.shape[1] // 2
    small = np.asarray(cv2.resize(canvas[0], (half, half), interpolation=cv2.INTER_AREA), np.float32)
    ways = [np.rot90(small, turns) for turns in range(4)]
    return np.concatenate([np.concatenate(ways[row : row + 2], axis=1) for row in (0, 2)])[None]


def _decode(regressors: Floats) -> Floats:
    """Regressors (2304, 16) → points (2304, 8, 2): two corners of the box, then six keypoints, as fractions of the
    square."""
    centres = (np.arange(_CELLS, dtype=np.float32) + 0.5) / _CELLS
    anchors = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 1, 2)
    values = regressors.reshape(-1, 8, 2) / _INPUT
    centre, half = values[:, :1] + anchors, values[:, 1:2] / 2
    return np.concatenate([centre - half, centre + half, values[:, 2:] + anchors], axis=1)


def _merge(points: Floats, scores: Floats) -> list[Face]:
    """Points (n, 8, 2) and scores (n,) → faces, best first, by non-maximum suppression. Overlapping boxes are averaged,
    weighted by score, because the mean varies less than the best box."""
    faces = []
    order = np.argsort(-scores)
    while len(order):
        best = order[0]
        same = _iou(points[best], points[order]) > _MAX_OVERLAP
        same[0] = True
        group, order = order[same], order[~same]
        weights = (scores[group] / scores[group].sum())[:, None, None]
        mean = (points[group] * weights).sum(axis=0)
        (left, top), (right, bottom) = mean[:2].tolist()
        faces.append(Face((left, top, right, bottom), mean[2:], float(scores[best])))
    return faces


def _iou(one: Floats, many: Floats) -> Floats:
    """Intersection over union of the box ``one`` (8, 2) with each of ``many`` (n, 8, 2)."""
    sides = np.minimum(one[1], many[:, 1]) - np.maximum(one[0], many[:, 0])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(np.maximum(many[:, 1] - many[:, 0], 0), axis=1)
    union = np.prod(np.maximum(one[1] - one[0], 0)) + areas - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)


def _box_region(face: Face) -> _Region:
    """The region for the mesh's first run: around the detected box, turned so that the eyes are level."""
    left, top, right, bottom = face.box
    centre = ((left + right - 1) / 2, (top + bottom - 1) / 2)
    return _Region(centre, _tilt(face.keypoints[0], face.keypoints[1]), max(right - left, bottom - top) * _BOX_MARGIN)


def _mesh_region(points: Floats) -> _Region:
    """The region for the mesh's second run: around its first landmarks (468, 3)."""
    right, left = (points[half, :2].mean(axis=0) for half in (_RIGHT_HALF, MIRRORED[_RIGHT_HALF]))
    degrees = _tilt(right, left)
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    upright = points[:, :2] @ turn.T
    first, last = upright.min(axis=0), upright.max(axis=0)
    x, y = turn.T @ ((first + last) / 2)
    return _Region((float(x), float(y)), degrees, float((last - first).max()) * _MESH_MARGIN)


def _tilt(right: Floats, left: Floats) -> float:
    """The angle in degrees of the line from the point ``right`` (x, y) of a face to its mirror image ``left``."""
    x, y = left - right
    return float(np.degrees(np.arctan2(y, x)))


def _warp(rgb: RGB, to_crop: NDArray[np.float64], size: float) -> RGB:
    """The crop (192, 192, 3) of a region with sides of ``size`` pixels. A large region is first averaged by area,
    because bilinear sampling alone would alias."""
    shrink = min(1.0, 2 * _INPUT / size)
    if shrink < 1:
        left, top, right, bottom = _visible(rgb, to_crop)
        rgb = rgb[top:bottom, left:right]
        height, width = rgb.shape[:2]
        target = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        rgb = np.asarray(cv2.resize(rgb, target, interpolation=cv2.INTER_AREA), np.uint8)
        x, y = width / target[0], height / target[1]
        to_crop = to_crop @ np.array([[x, 0, left], [0, y, top], [0, 0, 1]])
    return np.asarray(cv2.warpAffine(rgb, to_crop, (_INPUT, _INPUT), flags=cv2.INTER_LINEAR), np.uint8)


def _visible(rgb: RGB, to_crop: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the part of the photo that the crop shows; at least one pixel."""
    height, width = rgb.shape[:2]
    back = cv2.invertAffineTransform(to_crop)
    corners = np.array([[0, 0], [0, _INPUT], [_INPUT, 0], [_INPUT, _INPUT]]) @ back[:, :2].T + back[:, 2]
    first = np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    last = np.clip(np.ceil(corners.max(axis=0)) + 1, first + 1, (width, height)).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])

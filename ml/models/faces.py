"""Faces in a photo: boxes, six keypoints and 468 landmarks, by MediaPipe's full-range and face-mesh models.

Finds faces; recognises nobody, and returns no feature of a person that could be compared with another.
Geometry follows MediaPipe's published graphs: Bazarevsky et al., BlazeFace (2019); Kartynnik et al.,
Real-time Facial Surface Geometry (2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.models.face_mesh import LANDMARKS, MIRRORED
from ml.models.litert_runtime import LiteRTModel
from ml.values import RGB

KEYPOINTS = ("right_eye", "left_eye", "nose_tip", "mouth", "right_ear", "left_ear")  # the person's own sides

_INPUT = 192  # both models, pixels
_CELLS = 48  # the full-range model's grid: one anchor at the centre of each 4-pixel cell
_BOX_MARGIN = 1.5  # the mesh was trained on squares this much larger than the detected box …
_MESH_MARGIN = 1.65  # … and is steadiest on ones this much larger than the landmarks' own
_RIGHT_HALF = np.flatnonzero(np.arange(LANDMARKS) < MIRRORED)  # landmarks that have a mirror image on the left
_PRESENCE = 0.5
_LEAST_SCORE = 0.5  # of a detection, 0–1
_MOST_OVERLAP = 0.3  # intersection over union above which two boxes are one face

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Face:
    """A found face, in pixels of the photo it was found in, origin at the top left.

    ``box`` is (left, top, right, bottom); it reaches outside the photo where the frame cuts the face.
    ``keypoints`` is (6, 2), rows as in ``KEYPOINTS``. ``score`` is the detector's, 0–1.
    """

    box: tuple[float, float, float, float]
    keypoints: Floats
    score: float


class FaceDetector:
    """Finds faces and their landmarks; safe to share between threads."""

    def __init__(self, detector: Path | str, mesh: Path | str) -> None:
        """``detector``: face_detection_full_range.tflite; ``mesh``: face_landmark.tflite.

        Raises ArtifactError where a file is missing or is no model.
        """
        self._detector = LiteRTModel(detector)
        self._mesh = LiteRTModel(mesh)

    def detect(self, rgb: RGB, small: RGB | None = None, turns: int = 0) -> list[Face]:
        """Faces in ``rgb`` (H, W, 3), best score first; an empty list where there is none.

        ``small``: a copy of it, at least 192 pixels on its long side, where there is one: it is looked at instead.
        ``turns``: the photo is looked at after so many quarter turns to the left, 0–3. The faces that are returned lie
        in ``rgb`` as it is.
        """
        square = _letterbox(rgb, small)
        points, scores = self._run(_turned(square.canvas, turns))
        return self._merged(square.in_photo(_turned_back(points, turns)), scores)

    def detect_large(self, rgb: RGB, small: RGB | None = None) -> tuple[list[Face], ...]:
        """Faces that fill much of ``rgb``, which ``detect`` may miss, whichever way they are turned: for each of 0 to 3
        quarter turns to the left, those that are upright after it, best score first.

        One run on four copies of the photo side by side, each at half the detector's scale: it misses faces under a
        fifth of the photo's long side. ``small`` as ``detect`` takes it.
        """
        square = _letterbox(rgb, small)
        points, scores = self._run(_four_ways(square.canvas))
        quarter = _quarter_of(points)
        found = []
        for turns in range(4):
            there = quarter == turns
            whole = points[there] * 2 - _quarter_corner(turns) * 2
            found.append(self._merged(square.in_photo(_turned_back(whole, turns)), scores[there]))
        return tuple(found)

    def _run(self, canvas: Floats) -> tuple[Floats, Floats]:
        """Points (n, 8, 2) of what may be a face, as fractions of the ``canvas`` (1, 192, 192, 3), and their scores."""
        regressors, logits = self._detector.run(canvas)
        scores = _sigmoid(logits.astype(np.float32).reshape(-1))
        kept = scores >= _LEAST_SCORE
        return _decode(regressors.astype(np.float32)[0])[kept], scores[kept]

    def _merged(self, points: Floats, scores: Floats) -> list[Face]:
        return [_face(row, score) for row, score in _merge(points, scores)]

    def landmarks(self, rgb: RGB, face: Face) -> Floats | None:
        """The 468 canonical landmarks (468, 3) of a face found in ``rgb``, or None where the mesh sees no face.

        x and y in pixels of ``rgb`` (outside it where the frame cuts the face); z, depth relative to the
        head's centre, in the same scale, negative towards the camera.

        The mesh is placed twice: the detected box jumps with the detector's grid, so the first landmarks only tell
        where to look again.
        """
        roughly = self._place(rgb, _box_region(face))
        return None if roughly is None else self._place(rgb, _mesh_region(roughly))

    def _place(self, rgb: RGB, region: _Region) -> Floats | None:
        """The landmarks of the face in ``region`` of ``rgb``: the mean of the crop's and of its mirror image's, whose
        errors to one side cancel."""
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
        """Landmarks (468, 3) in pixels of a crop (192, 192, 3), 0–1; None where it shows no face."""
        mesh, presence = self._mesh.run(crop[None])
        if _sigmoid(presence.astype(np.float32).reshape(-1))[0] < _PRESENCE:
            return None
        return mesh.astype(np.float32).reshape(LANDMARKS, 3)


@dataclass(frozen=True)
class _Region:
    """A turned square of a photo, which the mesh looks at; lengths in the photo's pixels."""

    centre: tuple[float, float]
    degrees: float
    side: float

    def to_crop(self) -> NDArray[np.float64]:
        """The affine map (2, 3) from the photo's pixels to the crop's; the middle of one falls on the other's."""
        matrix = np.asarray(cv2.getRotationMatrix2D(self.centre, self.degrees, _INPUT / self.side), np.float64)
        matrix[:, 2] += (_INPUT - 1) / 2 - np.array(self.centre)
        return matrix


@dataclass(frozen=True, eq=False)
class _Square:
    """A photo amid a black square, ``canvas`` (1, 192, 192, 3) from −1 to 1; its upper left ``corner`` (x, y), and
    the ``scale`` that it was brought to."""

    canvas: Floats
    scale: float
    corner: Floats

    def in_photo(self, points: Floats) -> Floats:
        """Points (…, 2), as fractions of the square, in pixels of the photo."""
        return np.asarray((points * _INPUT - self.corner) / self.scale, np.float32)


def _letterbox(rgb: RGB, small: RGB | None = None) -> _Square:
    """The photo at the detector's scale, drawn from ``small`` if given."""
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


def _turned(canvas: Floats, turns: int) -> Floats:
    """The square ``canvas`` (1, side, side, 3) after so many quarter turns to the left."""
    return np.ascontiguousarray(np.rot90(canvas, turns, axes=(1, 2)))


def _turned_back(points: Floats, turns: int) -> Floats:
    """Points (n, 8, 2) in a square that was turned, as fractions of it, in the square as it was before."""
    for _ in range(turns):
        points = np.stack([1 - points[..., 1], points[..., 0]], axis=-1)
    corners = np.sort(points[:, :2], axis=1)  # turning makes other corners of the box its first and last
    return np.concatenate([corners, points[:, 2:]], axis=1)


def _four_ways(canvas: Floats) -> Floats:
    """The ``canvas`` (1, side, side, 3) after 0 to 3 quarter turns to the left, each in its quarter of a square as
    large."""
    half = canvas.shape[1] // 2
    small = np.asarray(cv2.resize(canvas[0], (half, half), interpolation=cv2.INTER_AREA), np.float32)
    ways = [np.rot90(small, turns) for turns in range(4)]
    return np.concatenate([np.concatenate(ways[row : row + 2], axis=1) for row in (0, 2)])[None]


def _quarter_of(points: Floats) -> NDArray[np.intp]:
    """In which quarter of the square, 0–3 by rows, the middle of each box of ``points`` (n, 8, 2) lies."""
    x, y = points[:, :2].mean(axis=1).T
    return np.asarray((y >= 0.5) * 2 + (x >= 0.5), np.intp)


def _quarter_corner(number: int) -> Floats:
    """The upper left corner (x, y) of a quarter, as fractions of the square."""
    row, column = divmod(number, 2)
    return np.array([column / 2, row / 2], np.float32)


def _decode(regressors: Floats) -> Floats:
    """Regressors (2304, 16) to (2304, 8, 2): box corners, then six keypoints, as fractions of the square."""
    centres = (np.arange(_CELLS, dtype=np.float32) + 0.5) / _CELLS
    anchors = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 1, 2)
    values = regressors.reshape(-1, 8, 2) / _INPUT
    centre, half = values[:, :1] + anchors, values[:, 1:2] / 2
    return np.concatenate([centre - half, centre + half, values[:, 2:] + anchors], axis=1)


def _merge(points: Floats, scores: Floats) -> list[tuple[Floats, float]]:
    """Non-maximum suppression that averages what it suppresses, weighted by score: steadier than the best alone."""
    merged = []
    order = np.argsort(-scores)
    while len(order):
        best = order[0]
        same = _iou(points[best], points[order]) > _MOST_OVERLAP
        same[0] = True
        group, order = order[same], order[~same]
        weights = (scores[group] / scores[group].sum())[:, None, None]
        merged.append(((points[group] * weights).sum(axis=0), float(scores[best])))
    return merged


def _iou(one: Floats, many: Floats) -> Floats:
    """Intersection over union of the box ``one`` (8, 2) with each of ``many`` (n, 8, 2)."""
    sides = np.minimum(one[1], many[:, 1]) - np.maximum(one[0], many[:, 0])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(np.maximum(many[:, 1] - many[:, 0], 0), axis=1)
    union = np.prod(np.maximum(one[1] - one[0], 0)) + areas - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)


def _face(points: Floats, score: float) -> Face:
    (left, top), (right, bottom) = points[:2].tolist()
    return Face((left, top, right, bottom), points[2:], score)


def _box_region(face: Face) -> _Region:
    """Where the mesh looks first: around the detected box, turned so that the eyes lie level."""
    left, top, right, bottom = face.box
    centre = ((left + right - 1) / 2, (top + bottom - 1) / 2)
    return _Region(centre, _tilt(face.keypoints[0], face.keypoints[1]), max(right - left, bottom - top) * _BOX_MARGIN)


def _mesh_region(points: Floats) -> _Region:
    """Where it looks again: around the landmarks (468, 3)."""
    right, left = (points[half, :2].mean(axis=0) for half in (_RIGHT_HALF, MIRRORED[_RIGHT_HALF]))
    degrees = _tilt(right, left)
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    upright = points[:, :2] @ turn.T
    first, last = upright.min(axis=0), upright.max(axis=0)
    x, y = turn.T @ ((first + last) / 2)
    return _Region((float(x), float(y)), degrees, float((last - first).max()) * _MESH_MARGIN)


def _tilt(right: Floats, left: Floats) -> float:
    """Degrees by which the line from a point (x, y) of the person's right to its mirror image on the left falls."""
    across = left - right
    return float(np.degrees(np.arctan2(across[1], across[0])))


def _warp(rgb: RGB, to_crop: NDArray[np.float64], size: float) -> RGB:
    """The mesh input (192, 192, 3). A large face is first shrunk by area: bilinear sampling alone would alias."""
    shrink = min(1.0, 2 * _INPUT / size)
    if shrink < 1:
        left, top, right, bottom = _seen(rgb, to_crop)
        rgb = rgb[top:bottom, left:right]
        height, width = rgb.shape[:2]
        target = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        rgb = np.asarray(cv2.resize(rgb, target, interpolation=cv2.INTER_AREA), np.uint8)
        x, y = width / target[0], height / target[1]
        to_crop = to_crop @ np.array([[x, 0, left], [0, y, top], [0, 0, 1]])
    return np.asarray(cv2.warpAffine(rgb, to_crop, (_INPUT, _INPUT), flags=cv2.INTER_LINEAR), np.uint8)


def _seen(rgb: RGB, to_crop: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what the mesh input shows of the photo; at least one pixel."""
    height, width = rgb.shape[:2]
    back = cv2.invertAffineTransform(to_crop)
    corners = np.array([[0, 0], [0, _INPUT], [_INPUT, 0], [_INPUT, _INPUT]]) @ back[:, :2].T + back[:, 2]
    first = np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    last = np.clip(np.ceil(corners.max(axis=0)) + 1, first + 1, (width, height)).astype(int)
    return int(first[0]), int(first[1]), int(last[0]), int(last[1])


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -80, 80))), np.float32)

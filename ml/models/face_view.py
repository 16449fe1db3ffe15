"""A face as it is compared with another photo of it: level, cut out, with the direction in which it looks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ml.models.faces import MIRRORED
from ml.values import RGB, Doubles, Floats

_TOP, _BOTTOM = 10, 152  # landmarks of the forehead and the chin
_SIDE = 512  # pixels of the level face
_MARGIN = 1.25  # side of the level face over its length


@dataclass(frozen=True, eq=False)
class FaceView:
    """``level`` (512, 512, 3): the face with level eyes. ``yaw``, ``pitch``: degrees by which the head is turned.
    ``length``: pixels of the photo from forehead to chin."""

    level: RGB
    yaw: float
    pitch: float
    length: float


def view_face(rgb: RGB, landmarks: Floats) -> FaceView:
    """The face with these ``landmarks`` (468, 3), in pixels of ``rgb`` (H, W, 3)."""
    points = np.asarray(landmarks, np.float64)
    right = np.flatnonzero(np.arange(len(MIRRORED)) < MIRRORED)
    across = _unit((points[MIRRORED[right]] - points[right]).mean(axis=0))
    down = points[_BOTTOM] - points[_TOP]
    return FaceView(
        level=_level(rgb, points, across),
        yaw=float(np.degrees(np.arctan2(across[2], np.hypot(*across[:2])))),
        pitch=float(np.degrees(np.arctan2(down[2], np.hypot(*down[:2])))),
        length=float(np.linalg.norm(down[:2])),
    )


def _level(rgb: RGB, points: Doubles, across: Doubles) -> RGB:
    """The face (512, 512, 3) with level eyes. ``across`` (3,): the direction from the right to the left half."""
    centre, length = points[:, :2].mean(axis=0), np.linalg.norm(points[_BOTTOM, :2] - points[_TOP, :2])
    degrees = float(np.degrees(np.arctan2(across[1], across[0])))
    side = max(1.0, float(length) * _MARGIN)
    shrink = min(1.0, 2 * _SIDE / side)  # averaged by area first, or fine detail would alias
    small = cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else rgb
    middle = centre * shrink
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), degrees, _SIDE / (side * shrink))
    matrix[:, 2] += _SIDE / 2 - middle
    return np.asarray(cv2.warpAffine(small, matrix, (_SIDE, _SIDE)), np.uint8)


def _unit(vector: Doubles) -> Doubles:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float64)

"""Finds the face to measure in a photo, even if it fills the photo, lies on its side or is upside down.

The detector is made for upright faces of medium size. In a turned photo it finds no face, or takes the eyes for the
mouth. So a face counts only if detector and mesh agree on the positions of eyes, nose and mouth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.models.kinds import SURE_FACE
from ml.values import RGB

if TYPE_CHECKING:
    from ml.models.faces import Face, FaceDetector

Floats = NDArray[np.float32]

#: for each of the first four KEYPOINTS (ml.models.faces), the landmarks whose mean is the same point
_SAME_POINTS = ((33, 133), (263, 362), (1,), (13, 14))
_RIGHT, _LEFT, _TOP, _BOTTOM = 234, 454, 10, 152  # landmarks on the outline of a face
# The largest disagreement of the two models, as a fraction of the face's size: of a face that needs no second look, of
# any other face of the first look, and of a face of the second look. Measured in docs/methods/lesion-and-face.md.
_SURE, _FIRST_LOOK, _SECOND_LOOK = 0.10, 0.25, 0.12


@dataclass(frozen=True, eq=False)
class PlacedFace:
    """A face with its landmarks (468, 3), in pixels of the photo that was searched, before any turn."""

    face: Face
    landmarks: Floats

    @property
    def disagreement(self) -> float:
        """The largest distance between the two models' positions of eyes, nose and mouth, over the face's size."""
        flat = self.landmarks[:, :2]
        meshed = np.array([flat[list(points)].mean(axis=0) for points in _SAME_POINTS])
        apart = np.linalg.norm(meshed - self.face.keypoints[: len(_SAME_POINTS)], axis=1).max()
        width, height = (np.linalg.norm(flat[a] - flat[b]) for a, b in ((_RIGHT, _LEFT), (_TOP, _BOTTOM)))
        return float(apart / max(width, height, 1e-6))


@dataclass(frozen=True, eq=False)
class FaceSearch:
    """The result of one look. ``count``: the number of detected faces. ``placed``: the face to measure; None if the two
    models agree on no face. ``turns``: the quarter turns to the left, 0–3, that make it upright."""

    count: int
    placed: PlacedFace | None
    turns: int = 0

    @property
    def score(self) -> float:
        """The detector's score of the placed face, 0–1; 0 without one."""
        return 0.0 if self.placed is None else self.placed.face.score

    @property
    def sure(self) -> bool:
        """Whether the face is certain and upright, so that a second look is not needed."""
        return self.placed is not None and self.score >= SURE_FACE and self.placed.disagreement <= _SURE

    @property
    def clearness(self) -> float:
        """The score less the disagreement, to compare several looks; −1 without a face."""
        return -1.0 if self.placed is None else self.score - self.placed.disagreement


def find_face(detector: FaceDetector, rgb: RGB, small: RGB) -> FaceSearch:
    """The first look: the most certain face of ``rgb`` (H, W, 3). ``small`` as FaceDetector.detect takes it."""
    return _placed(detector, rgb, detector.detect(rgb, small), 0, _FIRST_LOOK)


def find_face_again(detector: FaceDetector, rgb: RGB, small: RGB, first: FaceSearch, *, thorough: bool) -> FaceSearch:
    """The second look: the clearest of the ``first`` face and the large faces in ``rgb``, turned or not.

    ``thorough``: also search the turned photos for smaller faces, which takes three more runs of the detector. Raises
    ModelError.
    """
    seen = list(enumerate(detector.detect_large(rgb, small)))
    if thorough:
        seen += [(turns, detector.detect(rgb, small, turns)) for turns in (1, 2, 3)]
    found = [_placed(detector, rgb, faces, turns, _SECOND_LOOK) for turns, faces in seen]
    return max((first, *found), key=lambda search: search.clearness)


def turned(rgb: RGB, turns: int) -> RGB:
    """``rgb`` (H, W, 3) after ``turns`` quarter turns to the left."""
    return np.ascontiguousarray(np.rot90(rgb, turns))


def _placed(detector: FaceDetector, rgb: RGB, faces: list[Face], turns: int, limit: float) -> FaceSearch:
    """The first of ``faces`` whose disagreement is at most ``limit``. ``faces`` are sorted by score."""
    for face in faces:
        landmarks = detector.landmarks(rgb, face)
        if landmarks is not None and (placed := PlacedFace(face, landmarks)).disagreement <= limit:
            return FaceSearch(len(faces), placed, turns)
    return FaceSearch(len(faces), None)

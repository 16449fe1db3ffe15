"""Finds the face of a photo to measure, also if it fills the photo or lies on its side or upside down.

The detector is made for upright faces of medium size. In a turned photo it finds no face, or mistakes the eyes for the
mouth. So the detector and the mesh must agree on where eyes, nose and mouth are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.analysis.routing import SURE_FACE
from ml.values import RGB

if TYPE_CHECKING:
    from ml.models.faces import Face, FaceDetector

Floats = NDArray[np.float32]

#: landmarks whose mean is the right eye, the left eye, the tip of the nose and the mouth: ml.models.faces.KEYPOINTS
_SAME_POINTS = ((33, 133), (263, 362), (1,), (13, 14))
_RIGHT, _LEFT, _TOP, _BOTTOM = 234, 454, 10, 152  # landmarks on the outline of a face
# The largest disagreement of the two models, in lengths of the face: in a face that needs no second look, in any other
# face at the first look, and in a face at the second look. Measured in docs/methods/lesion-and-face.md.
_SURE, _FIRST_LOOK, _SECOND_LOOK = 0.10, 0.25, 0.12


@dataclass(frozen=True, eq=False)
class PlacedFace:
    """A face with its landmarks (468, 3), in pixels of the photo as it was sent."""

    face: Face
    landmarks: Floats

    @property
    def disagreement(self) -> float:
        """The largest distance between the two models' points, of eyes, nose and mouth, in lengths of the face."""
        flat = self.landmarks[:, :2]
        meshed = np.array([flat[list(points)].mean(axis=0) for points in _SAME_POINTS])
        apart = np.linalg.norm(meshed - self.face.keypoints[: len(_SAME_POINTS)], axis=1).max()
        width, height = (np.linalg.norm(flat[a] - flat[b]) for a, b in ((_RIGHT, _LEFT), (_TOP, _BOTTOM)))
        return float(apart / max(width, height, 1e-6))


@dataclass(frozen=True, eq=False)
class FaceSearch:
    """``count`` faces were found. ``placed`` is the one to measure, None where the models agree on none. It is upright
    after ``turns`` quarter turns of the photo to the left, 0–3."""

    count: int
    placed: PlacedFace | None
    turns: int = 0

    @property
    def score(self) -> float:
        """The detector's score of the face, 0–1; 0 without a face."""
        return 0.0 if self.placed is None else self.placed.face.score

    @property
    def sure(self) -> bool:
        """Whether the face is certain and upright, so that a second look is not needed."""
        return self.placed is not None and self.score >= SURE_FACE and self.placed.disagreement <= _SURE

    @property
    def clearness(self) -> float:
        """Compares the results of two looks: the higher, the clearer the face."""
        return -1.0 if self.placed is None else self.score - self.placed.disagreement


def find_face(detector: FaceDetector, rgb: RGB, small: RGB) -> FaceSearch:
    """The first look: the most certain face of ``rgb`` (H, W, 3). ``small`` as FaceDetector.detect takes it."""
    return _placed(detector, rgb, detector.detect(rgb, small), 0, _FIRST_LOOK)


def find_face_again(detector: FaceDetector, rgb: RGB, small: RGB, first: FaceSearch, *, thorough: bool) -> FaceSearch:
    """The second look: the clearest of the ``first`` face and the large faces in ``rgb``, turned or not.

    ``thorough``: look for smaller faces in the turned photo too, at the cost of three more runs of the detector.
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
    """The most certain of ``faces`` on which the two models disagree by ``limit`` or less."""
    for face in faces:
        landmarks = detector.landmarks(rgb, face)
        if landmarks is not None and (placed := PlacedFace(face, landmarks)).disagreement <= limit:
            return FaceSearch(len(faces), placed, turns)
    return FaceSearch(len(faces), None)

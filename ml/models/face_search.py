"""Which face of a photo is measured, also where it fills the photo, or the photo lies on its side or upside down.

The detector is made for upright faces of medium size. In a photo that is turned it finds no face, or one whose eyes it
takes for the mouth. So two models must agree on where eyes, nose and mouth are: the detector and the mesh.
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
# How far the two models' points may lie apart, in lengths of the face: at the first look in a face that is sure, and in
# any; and at the second look. docs/methods/lesion-and-face.md tells what was measured.
_SURE, _MOST, _SECOND_LOOK = 0.10, 0.25, 0.12


@dataclass(frozen=True, eq=False)
class PlacedFace:
    """A face with its landmarks (468, 3), in pixels of the photo as it was sent."""

    face: Face
    landmarks: Floats

    @property
    def disagreement(self) -> float:
        """The greatest distance between a keypoint and the same point of the landmarks, of eyes, nose and mouth; in
        lengths of the face."""
        flat = self.landmarks[:, :2]
        meshed = np.array([flat[list(points)].mean(axis=0) for points in _SAME_POINTS])
        apart = np.linalg.norm(meshed - self.face.keypoints[: len(_SAME_POINTS)], axis=1).max()
        width, height = (np.linalg.norm(flat[a] - flat[b]) for a, b in ((_RIGHT, _LEFT), (_TOP, _BOTTOM)))
        return float(apart / max(width, height, 1e-6))


@dataclass(frozen=True, eq=False)
class FaceSearch:
    """How many faces were found, and the one that is measured: None where none could be placed.

    ``turns``: the quarter turns to the left, 0–3, after which the photo shows them upright.
    """

    count: int
    placed: PlacedFace | None
    turns: int = 0

    @property
    def score(self) -> float:
        """The detector's, 0–1; 0 without a face."""
        return 0.0 if self.placed is None else self.placed.face.score

    @property
    def sure(self) -> bool:
        """Whether the face is certain and upright, so that no second look is needed."""
        return self.placed is not None and self.score >= SURE_FACE and self.placed.disagreement <= _SURE

    @property
    def clearness(self) -> float:
        """The higher, the better the face was seen; what one look shows is compared by it with what another shows."""
        return -1.0 if self.placed is None else self.score - self.placed.disagreement


def find_face(detector: FaceDetector, rgb: RGB, small: RGB) -> FaceSearch:
    """The most certain face that ``rgb`` (H, W, 3) shows as it is. ``small`` as `FaceDetector.detect` takes it."""
    return _placed(detector, rgb, detector.detect(rgb, small), 0, _MOST)


def find_face_again(detector: FaceDetector, rgb: RGB, small: RGB, first: FaceSearch, *, thorough: bool) -> FaceSearch:
    """The clearest of what was found at ``first`` and of the large faces in ``rgb``, however they are turned.

    ``thorough``: smaller faces are sought in the turned photo too, which costs three more runs of the detector.
    """
    seen = list(enumerate(detector.detect_large(rgb, small)))
    if thorough:
        seen += [(turns, detector.detect(rgb, small, turns)) for turns in (1, 2, 3)]
    found = [_placed(detector, rgb, faces, turns, _SECOND_LOOK) for turns, faces in seen]
    return max((first, *found), key=lambda search: search.clearness)


def turned(rgb: RGB, turns: int) -> RGB:
    """``rgb`` (H, W, 3) after so many quarter turns to the left."""
    return np.ascontiguousarray(np.rot90(rgb, turns))


def _placed(detector: FaceDetector, rgb: RGB, faces: list[Face], turns: int, most: float) -> FaceSearch:
    """The most certain of ``faces`` whose landmarks can be placed and lie at ``most`` so far from its keypoints."""
    for face in faces:
        landmarks = detector.landmarks(rgb, face)
        if landmarks is not None and (placed := PlacedFace(face, landmarks)).disagreement <= most:
            return FaceSearch(len(faces), placed, turns)
    return FaceSearch(len(faces), None)

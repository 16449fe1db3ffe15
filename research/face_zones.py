"""``python -m research.face_zones [PHOTO …]``: face detection, and the consistency of landmarks.

Mirrors each photo, and scikit-image's astronaut, and rotates it by ±10° about each face. Transforms the landmarks
found there back and compares them with those of the original photo. Distances are percentages of the face's width
(from landmark 234 to 454). Faces that are cut by the frame are reported separately, because the landmarks outside are
guesses. The last line is the CPU time of the landmarks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from ml.errors import ImageError
from ml.imaging.decode import decode
from ml.models.faces import MIRRORED, Face, FaceDetector
from ml.skin.face import face_zones
from ml.training.statistics import wilson
from ml.values import RGB

Floats = NDArray[np.float32]

_MODELS = Path("var/models/mediapipe-face/0.6.0")
_LIMIT = 0.03  # as a share of the face's width
_ROTATIONS = {"rotated −10°": -10.0, "rotated +10°": 10.0}


@dataclass(frozen=True, eq=False)
class Trial:
    """One change of one face: distance of each landmark (468,) in face widths; None if the face was not found."""

    change: str
    cut: bool
    distances: Floats | None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="*", metavar="PHOTO")
    parser.add_argument("--models", type=Path, default=_MODELS)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    detector = FaceDetector(
        options.models / "face_detection_full_range.tflite", options.models / "face_landmark.tflite"
    )
    trials: list[Trial] = []
    costs: list[float] = []
    for name, photo in _photos(options.photos):
        faces = [face for face in detector.detect(photo) if detector.landmarks(photo, face) is not None]
        zones = [len(_zones(detector, photo, face)) for face in faces]
        print(f"{name:28} {photo.shape[1]}×{photo.shape[0]}  {len(faces)} face(s), zones {zones}")
        for face in faces:
            trials += _trials(detector, photo, face)
            costs.append(_cost_ms(detector, photo, face))
    for change in ("mirrored", *_ROTATIONS):
        for cut in (False, True):
            _report([trial for trial in trials if trial.change == change and trial.cut == cut])
    print(f"\nlandmarks of one face: {np.median(costs):.1f} ms of CPU time, the median of {len(costs)}")
    return 0


def _photos(paths: list[Path]) -> Iterator[tuple[str, RGB]]:
    yield "astronaut", np.asarray(data.astronaut(), np.uint8)
    for path in paths:
        try:
            yield path.name, decode(path.read_bytes()).rgb
        except ImageError as error:
            print(f"{path.name}: {error}", file=sys.stderr)


def _cost_ms(detector: FaceDetector, photo: RGB, face: Face) -> float:
    """CPU time of the landmarks of one face, in milliseconds."""
    started = time.thread_time()
    detector.landmarks(photo, face)
    return (time.thread_time() - started) * 1e3


def _zones(detector: FaceDetector, photo: RGB, face: Face) -> list[str]:
    landmarks = detector.landmarks(photo, face)
    height, width = photo.shape[:2]
    return [] if landmarks is None else [zone.name for zone in face_zones(landmarks, width, height)]


def _trials(detector: FaceDetector, photo: RGB, face: Face) -> list[Trial]:
    height, width = photo.shape[:2]
    straight = _flat(detector.landmarks(photo, face))
    face_width = float(np.linalg.norm(straight[234] - straight[454]))
    cut = bool(((straight < 0) | (straight > (width, height))).any())
    middle = straight.mean(axis=0)
    trials = []
    mirrored = _nearest(detector, np.ascontiguousarray(photo[:, ::-1]), (width - 1 - middle[0], middle[1]))
    if mirrored is not None:
        mirrored = mirrored[MIRRORED]
        mirrored[:, 0] = width - 1 - mirrored[:, 0]
    trials.append(_trial("mirrored", cut, straight, mirrored, face_width))
    for change, degrees in _ROTATIONS.items():
        turn = np.asarray(cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), degrees, 1.0), np.float64)
        turned = np.asarray(cv2.warpAffine(photo, turn, (width, height)), np.uint8)
        expected = np.asarray(straight @ turn[:, :2].T + turn[:, 2], np.float32)
        trials.append(_trial(change, cut, expected, _nearest(detector, turned, (middle[0], middle[1])), face_width))
    return trials


def _trial(change: str, cut: bool, expected: Floats, found: Floats | None, width: float) -> Trial:
    distances = None if found is None else np.asarray(np.linalg.norm(expected - found, axis=1) / width, np.float32)
    return Trial(change, cut, distances)


def _nearest(detector: FaceDetector, photo: RGB, where: tuple[float, float]) -> Floats | None:
    """The landmarks (468, 2) of the face nearest to the point ``where``, or None."""
    found = [marks for face in detector.detect(photo) if (marks := detector.landmarks(photo, face)) is not None]
    meshes = [_flat(marks) for marks in found]
    return min(meshes, key=lambda mesh: float(np.hypot(*(mesh.mean(axis=0) - where))), default=None)


def _flat(landmarks: Floats | None) -> Floats:
    assert landmarks is not None
    return np.ascontiguousarray(landmarks[:, :2])


def _report(trials: list[Trial]) -> None:
    if not trials:
        return
    found = [trial.distances for trial in trials if trial.distances is not None]
    kind = "cut by the frame" if trials[0].cut else "whole"
    print(f"\n{trials[0].change}, faces {kind}: {len(found)} of {len(trials)} found again")
    if not found:
        return
    points = np.concatenate(found)
    within = sum(bool((distances < _LIMIT).all()) for distances in found)
    low, high = wilson(within, len(found))
    mean, high_points, worst = points.mean() * 100, np.percentile(points, 95) * 100, points.max() * 100
    print(f"  mean {mean:.2f}%, 95th percentile {high_points:.2f}%, worst {worst:.2f}% of the face's width")
    print(f"  landmarks within 3%: {(points < _LIMIT).mean() * 100:.1f}% of {len(points)}")
    print(f"  faces with every landmark within 3%: {within} of {len(found)} [{max(low, 0):.2f}, {high:.2f}]")


if __name__ == "__main__":
    sys.exit(main())

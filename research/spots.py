"""``python -m research.spots FOLDER``: compare the count of spots with the number of spots that people marked.

FOLDER contains photos with their boxes beside them: for each ``NAME.jpg`` a ``NAME.xml`` in the format of Pascal VOC,
such as ACNE04 (Wu et al., ICCV 2019) with boxes. Several copies of one photo, named ``PHOTO.rf.HASH.jpg``, count once.
Photos are measured as the service measures them: in the zones of a face if there is one. Prints how many counts are
reported, Spearman's rank correlation with a 95% bootstrap interval, the median difference and the CPU time.

The photos may show patients' faces, so nothing of them is printed or written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ml.imaging.decode import decode
from ml.models.face_search import find_face, find_face_again
from ml.models.faces import FaceDetector
from ml.models.kinds import SURE_FACE
from ml.models.loading import load_faces
from ml.models.store import ModelStore
from ml.skin.catalogue import CATALOGUE
from ml.skin.face import face_zones
from ml.skin.frame import Frame, Subject

_RESAMPLES, _SEED = 2000, 1
_MEASURE = CATALOGUE["spot_count"]


@dataclass(frozen=True)
class Counted:
    """One photo: its ``name``, the number of boxes, the count (None if unknown), and the CPU time in milliseconds."""

    name: str
    boxes: int
    spots: float | None
    face: bool
    milliseconds: float


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=Path, default=Path("var/models"))
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    detector = load_faces(ModelStore(options.models))
    first: dict[str, Path] = {}
    for path in sorted(options.folder.glob("*.xml")):
        first.setdefault(path.name.split(".rf.")[0], path)
    photos = [count(detector, name, path) for name, path in first.items()]
    report("all", photos)
    report("with a face", [photo for photo in photos if photo.face])
    report("without", [photo for photo in photos if not photo.face])
    print(f"CPU time of a count: {np.median([photo.milliseconds for photo in photos]):.1f} ms, the median")
    return 0


def count(detector: FaceDetector, name: str, boxes: Path) -> Counted:
    """Count the spots of one photo. ``boxes``: the file beside it."""
    rgb = decode(boxes.with_suffix(".jpg").read_bytes()).rgb
    frame = Frame(rgb)
    faces = find_face(detector, rgb, frame.copy)
    if not faces.sure:
        faces = find_face_again(detector, rgb, frame.copy, faces, thorough=True)
    height, width = rgb.shape[:2]
    zones = () if faces.placed is None else face_zones(faces.placed.landmarks, width, height)
    part = Subject(frame, zones, portrait=faces.score >= SURE_FACE).whole
    started = time.thread_time()
    spots, _ = _MEASURE.measured(part)
    milliseconds = (time.thread_time() - started) * 1e3
    marked = boxes.read_text(encoding="utf-8").count("<object>")
    return Counted(name, marked, spots, bool(zones), milliseconds)


def report(what: str, photos: Sequence[Counted]) -> None:
    """Print the correlation of the count with the boxes over all ``photos`` where it is reported."""
    known = [(photo.spots, photo.boxes) for photo in photos if photo.spots is not None]
    if len(known) < 3:
        return
    pairs = np.array(known, np.float64)
    rng = np.random.default_rng(_SEED)
    resampled = [correlation(pairs[rng.integers(len(pairs), size=len(pairs))]) for _ in range(_RESAMPLES)]
    low, high = np.percentile(resampled, (2.5, 97.5))
    difference = np.median(np.abs(pairs[:, 0] - pairs[:, 1]))
    counted, marked = pairs.sum(axis=0)
    print(
        f"{what}: reported {len(pairs)} of {len(photos)}, rank correlation {correlation(pairs):.3f} "
        f"[{low:.3f}, {high:.3f}], {counted / marked:.2f} counted for each that is marked, "
        f"median difference {difference:.0f}"
    )


def correlation(pairs: NDArray[np.float64]) -> float:
    """Spearman's rank correlation of the two columns of ``pairs`` (n, 2)."""
    return float(spearmanr(pairs[:, 0], pairs[:, 1])[0])


if __name__ == "__main__":
    sys.exit(main())

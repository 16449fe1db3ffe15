"""``python -m research.turned_faces PORTRAITS [COLLECTION …]``: detection of faces in rotated photos.

PORTRAITS and each COLLECTION are folders of photos. For scikit-image's astronaut and the portraits, rotated by 0 to 3
quarter turns, in colour and in black and white, prints how many are classified as a face, and the distance between the
detector's keypoints and the landmarks. For each collection, prints how many photos show a face only after a rotation,
and the share of an analysis that this second search takes. Uses the models, index and engine of the service's
settings.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from skimage import data

from ml.training.statistics import wilson
from server.threads import intra_op_threads, thread_environment
from settings import Settings, load_or_exit
from web.boot import served

if TYPE_CHECKING:
    from ml.analysis.pipeline import Analyzer
    from ml.models.faces import FaceDetector
    from ml.values import RGB, Analysis, Photo

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_TURNED = "turned_photo"
_T = TypeVar("_T")


def load(settings: Settings) -> tuple[Analyzer, FaceDetector]:
    from ml.analysis.pipeline import Analyzer
    from ml.models.loading import load_models
    from scin.index.search import load_index

    models = load_models(
        settings.models_dir,
        encoder=settings.encoder,
        classifier=settings.classifier,
        faces=True,
        threads=intra_op_threads(settings),
        gpu=settings.enable_gpu,
        engine=settings.engine,
    )
    encoder = models.encoder
    index = load_index(settings.index_folder, encoder_fingerprint=encoder.fingerprint, dimension=encoder.dimension)
    assert models.faces is not None
    return Analyzer(models, index), models.faces


def photos(folder: Path, most: int | None = None) -> Iterator[tuple[str, Photo]]:
    """(name, photo) of the photos in ``folder``, or of a random sample of ``most`` with a fixed seed."""
    from ml.imaging.decode import decode

    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if most is not None and len(paths) > most:
        paths = [paths[n] for n in sorted(np.random.default_rng(0).choice(len(paths), most, replace=False))]
    for path in paths:
        yield path.name, decode(path.read_bytes())


def as_photo(rgb: RGB) -> Photo:
    from ml.values import Photo

    return Photo(rgb, rgb.shape[1], rgb.shape[0], "JPEG")


def in_grey(rgb: RGB) -> RGB:
    return np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def analyze(analyzer: Analyzer, photo: Photo) -> Analysis:
    from ml.analysis.pipeline import CaseRequest
    from ml.deadline import Deadline

    return analyzer.analyze(CaseRequest((photo,)), Deadline(300))


def is_turned(found: Analysis) -> bool:
    return any(problem.code == _TURNED for problem in found.quality.problems)


def report_portraits(analyzer: Analyzer, detector: FaceDetector, portraits: list[RGB]) -> None:
    from ml.models.face_search import turned

    print(
        "| portraits | rotated by | classified as a face, with zones | turned_photo | not_skin |\n|---|---|---|---|---|"
    )
    for shade, change in (("colour", np.ascontiguousarray), ("black and white", in_grey)):
        for turns in range(4):
            answers = [analyze(analyzer, as_photo(turned(change(rgb), turns))) for rgb in portraits]
            faces = sum(bool(answer.modality.label == "face" and answer.skin.zones) for answer in answers)
            noted, nothing = sum(map(is_turned, answers)), sum(a.modality.label == "not_skin" for a in answers)
            print(f"| {shade} | {90 * turns}° | {faces} of {len(answers)} | {noted} | {nothing} |")
    print("\ndistance of keypoints from landmarks, in face lengths, for each detected face after a rotation by")
    for turns in range(4):
        apart = sorted(distance for rgb in portraits for distance in _disagreements(detector, turned(rgb, turns)))
        print(f"  {90 * turns}°: {', '.join(f'{distance:.2f}' for distance in apart)}")


def _disagreements(detector: FaceDetector, rgb: RGB) -> Iterator[float]:
    """The disagreement of keypoints and landmarks for each face in ``rgb``."""
    from ml.models.face_search import PlacedFace

    for face in detector.detect(rgb):
        if (landmarks := detector.landmarks(rgb, face)) is not None:
            yield PlacedFace(face, landmarks).disagreement


def report_collection(analyzer: Analyzer, detector: FaceDetector, folder: Path, most: int) -> None:
    names: list[str] = []
    costs: list[tuple[float, float, float]] = []
    count = 0
    for name, photo in photos(folder, most):
        count += 1
        answer, whole = _timed(partial(analyze, analyzer, photo))
        if is_turned(answer):
            names.append(name)
        if answer.modality.label not in ("dermatoscopic", None) and (looks := _search_times_ms(detector, photo.rgb)):
            costs.append((whole, *looks))
    low, high = wilson(len(names), count)
    print(f"\n{folder}: {len(names)} of {count} rotated [{max(low, 0):.4f}, {high:.4f}] {', '.join(names)}")
    if costs:
        whole, second, thorough = (mean(of) for of in zip(*costs, strict=True))
        print(
            f"  {len(costs)} photos need a second search; mean CPU ms: whole analysis {whole:.1f}, second search "
            f"{second:.1f} ({second / whole:.0%}), thorough search for small rotated faces {thorough:.1f}"
        )


def _search_times_ms(detector: FaceDetector, rgb: RGB) -> tuple[float, float] | None:
    """CPU milliseconds of the second search and of the thorough search; None if the first search is certain."""
    from ml.models.face_search import find_face, find_face_again
    from ml.skin.colour import working_copy

    small = working_copy(rgb)
    first = find_face(detector, rgb, small)
    if first.sure:
        return None
    look = partial(find_face_again, detector, rgb, small, first)
    return _timed(partial(look, thorough=False))[1], _timed(partial(look, thorough=True))[1]


def _timed(action: Callable[[], _T]) -> tuple[_T, float]:
    """The result of ``action``, and its CPU time in milliseconds."""
    started = time.process_time()
    result = action()
    return result, (time.process_time() - started) * 1e3


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("portraits", type=Path, metavar="PORTRAITS")
    parser.add_argument("collections", type=Path, nargs="*", metavar="COLLECTION")
    parser.add_argument("--most", type=int, default=400, help="maximum number of photos of each collection")
    options = parser.parse_args(arguments)
    settings = served(load_or_exit())
    os.environ.update(thread_environment(settings))
    analyzer, detector = load(settings)
    portraits = [np.asarray(data.astronaut(), np.uint8), *(photo.rgb for _, photo in photos(options.portraits))]
    report_portraits(analyzer, detector, portraits)
    for folder in options.collections:
        report_collection(analyzer, detector, folder, options.most)
    return 0


if __name__ == "__main__":
    sys.exit(main())

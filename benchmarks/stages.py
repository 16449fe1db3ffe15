"""``python -m benchmarks.stages PHOTO…``: what each stage of an analysis takes in this process, one photo at a time.

Prints medians over all photos and repeats: milliseconds by the clock, and of the CPU, which other work on the machine
disturbs less. Threads and engine are the service's (DERMSERVE_INTRA_OP_THREADS, DERMSERVE_ENGINE, …).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from server.threads import intra_op_threads, thread_environment
from settings import Settings, load_or_exit

if TYPE_CHECKING:
    from ml.values import RGB, Zone

_PART = "  "  # begins the name of a part of the stage above it, which the sum must not count twice
_MEASURED = ("working copy", "skin mask", "quality", "measure")
_T = TypeVar("_T")


class Stopwatch:
    """Seconds of each named stage, by the clock and of the process's CPU."""

    def __init__(self) -> None:
        self.taken: dict[str, list[tuple[float, float]]] = {}

    def time(self, name: str, action: Callable[[], _T]) -> _T:
        wall, cpu = time.perf_counter(), time.process_time()
        result = action()
        self.taken.setdefault(name, []).append((time.perf_counter() - wall, time.process_time() - cpu))
        return result

    def milliseconds(self) -> dict[str, tuple[float, float]]:
        """The medians."""
        return {
            name: (median(wall for wall, _ in runs) * 1e3, median(cpu for _, cpu in runs) * 1e3)
            for name, runs in self.taken.items()
        }


class Stages:
    """Everything that an analysis consists of, called one after the other as the analyzer does."""

    def __init__(self, settings: Settings) -> None:
        from ml.models.loading import load_models
        from scin.index.search import load_index

        self._models = load_models(
            settings.models_dir,
            encoder=settings.encoder,
            classifier=settings.classifier,
            faces=True,
            threads=intra_op_threads(settings),
            gpu=settings.enable_gpu,
            engine=settings.engine,
        )
        encoder = self._models.encoder
        self._index = load_index(
            settings.index_folder, encoder_fingerprint=encoder.fingerprint, dimension=encoder.dimension
        )
        self.engines = ", ".join(card.engine for card in self._models.cards)

    def run(self, data: bytes, watch: Stopwatch) -> None:
        """One photo, with a stage for whatever it has: zones for a face, the classifier for all."""
        from ml.imaging.decode import decode
        from ml.models.preprocess import to_batch
        from ml.skin.frame import Frame, Subject
        from ml.skin.measure import measure_skin
        from ml.skin.quality import assess
        from ml.values import Patient

        encoder, classifier = self._models.encoder, self._models.classifier
        photo = watch.time("decode", lambda: decode(data))
        frame = Frame(photo.rgb, photo.width, photo.height)
        watch.time("working copy", lambda: frame.copy)
        watch.time("skin mask", lambda: frame.skin_masks)
        watch.time("quality", lambda: assess(frame))
        zones = self._zones(photo.rgb, frame.copy, watch)
        vector = watch.time("encode", lambda: encoder.embed([photo.rgb]))
        watch.time(f"{_PART}preprocess for encode", lambda: to_batch([photo.rgb], encoder.spec.preprocess))
        watch.time("search", lambda: self._index.search(vector, 5))
        watch.time("classify", lambda: classifier.classify([photo.rgb], Patient()))
        watch.time(f"{_PART}preprocess for classify", lambda: to_batch([photo.rgb], classifier.spec.preprocess))
        watch.time("measure", lambda: measure_skin(Subject(frame, zones, portrait=bool(zones))))
        self._measures(photo.rgb, watch)

    def _measures(self, rgb: RGB, watch: Stopwatch) -> None:
        """Each measure on all skin of the photo; what several measures share counts for the first of them."""
        from ml.skin.catalogue import CATALOGUE
        from ml.skin.frame import Frame, Subject

        whole = Subject(Frame(rgb)).whole
        for measure in CATALOGUE.values():
            watch.time(_PART + measure.name, lambda measure=measure: measure.measured(whole))  # type: ignore[misc]

    def _zones(self, rgb: RGB, small: RGB, watch: Stopwatch) -> tuple[Zone, ...]:
        from ml.models.face_search import find_face, find_face_again
        from ml.skin.face import face_zones

        detector = self._models.faces
        assert detector is not None
        found = watch.time("faces", lambda: find_face(detector, rgb, small))
        if not found.sure:
            first = found
            found = watch.time(
                "faces, second look", lambda: find_face_again(detector, rgb, small, first, thorough=False)
            )
        return () if found.placed is None else face_zones(found.placed.landmarks, rgb.shape[1], rgb.shape[0])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTO")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    os.environ.update(thread_environment(load_or_exit()))
    from web.boot import served

    settings = served(load_or_exit())
    stages, watch = Stages(settings), Stopwatch()
    files = [path.read_bytes() for path in options.photos]
    stages.run(files[0], Stopwatch())  # what is done at the first use only
    for _ in range(options.repeats):
        for data in files:
            stages.run(data, watch)
    print(f"{len(files)} photos × {options.repeats}, {intra_op_threads(settings)} thread(s); {stages.engines}")
    _report(watch.milliseconds())
    return 0


def _report(milliseconds: dict[str, tuple[float, float]]) -> None:
    print(f"{'stage':26} {'ms':>8} {'CPU ms':>8}")
    for name, (wall, cpu) in milliseconds.items():
        print(f"{name:26} {wall:8.1f} {cpu:8.1f}")
    for label, names in (
        ("quality and measurements", [name for name in milliseconds if name in _MEASURED]),
        ("everything", [name for name in milliseconds if not name.startswith(_PART)]),
    ):
        wall, cpu = (sum(milliseconds[name][clock] for name in names) for clock in (0, 1))
        print(f"{label:26} {wall:8.1f} {cpu:8.1f}")


if __name__ == "__main__":
    sys.exit(main())

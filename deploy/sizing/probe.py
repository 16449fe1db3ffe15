"""Loads one part in this process and prints its cost as JSON. Run as ``python -m deploy.sizing.probe``.

The cost is the growth of the resident memory. Library pages that other processes share count in full, because on
an instance no other process uses them.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask.testing import FlaskClient

MIB = 2**20
_REQUESTS = 5
_LOADED_WITHIN_S = 600.0
_FRAMEWORKS = {
    "pytorch": ("numpy", "torch"),
    "tensorflow": ("numpy", "tensorflow"),
    "faiss": ("numpy", "faiss"),
    "opencv": ("numpy", "cv2"),
    "scikit-image": ("numpy", "skimage.feature.texture", "skimage.draw.draw", "skimage.filters.thresholding"),
    "pillow": ("PIL.Image", "pillow_heif"),
    "web": ("web.app",),
}


def main(arguments: list[str]) -> int:
    """Arguments: ``import NAME``, ``model NAME``, ``index VECTORS`` or ``worker``. Prints JSON lines."""
    kind, *rest = arguments
    if kind == "import":
        _print_cost(_cost(lambda: [importlib.import_module(name) for name in _FRAMEWORKS[rest[0]]]))
    elif kind == "model":
        _print_cost(_MODELS[rest[0]]())
    elif kind == "index":
        _print_cost(_index(int(rest[0])))
    elif kind == "worker":
        _worker()
    return 0


def _cost(action: Callable[[], object]) -> dict[str, float]:
    before, began = _resident_mb(), time.perf_counter()
    kept = action()  # keeps the result in memory during the measurement
    cost = {"mb": _resident_mb() - before, "seconds": time.perf_counter() - began}
    del kept
    return cost


def _encoder() -> dict[str, float]:
    from ml.models.loading import load_encoder
    from ml.models.registry import find
    from ml.models.runtime import framework_of
    from settings import Settings

    settings = Settings.load()
    framework_of(
        find(settings.building_encoder, "encoder")
    )  # imported before the measurement, because the framework is a separate part
    return _cost(lambda: load_encoder(settings.models_dir, settings.building_encoder, threads=1))


def _classifier() -> dict[str, float]:
    from ml.models.classifier import LesionClassifier
    from ml.models.golden import golden_image
    from ml.models.registry import find
    from ml.models.runtime import RuntimeOptions, framework_of, load_runtime
    from ml.models.store import ModelStore
    from ml.values import Patient
    from settings import Settings

    settings = Settings.load()
    spec = find(settings.classifier, "classifier")
    framework_of(spec)
    execution = RuntimeOptions(threads=1, callers=2, sizes_pools=True)

    def load() -> object:
        runtime = load_runtime(spec, ModelStore(settings.models_dir).served(spec), None, execution)
        classifier = LesionClassifier(spec, runtime)
        classifier.predict([golden_image()], Patient())
        return classifier

    return _cost(load)


def _faces() -> dict[str, float]:
    from ml.models.faces import FaceDetector
    from ml.models.golden import golden_image
    from ml.models.loading import LANDMARK_FILE
    from ml.models.registry import MEDIAPIPE_FACE
    from ml.models.store import ModelStore
    from settings import Settings

    store = ModelStore(Settings.load().models_dir)

    def load() -> object:
        detector = FaceDetector(store.served(MEDIAPIPE_FACE), store.folder(MEDIAPIPE_FACE) / LANDMARK_FILE)
        detector.detect(golden_image())
        return detector

    return _cost(load)


_MODELS: dict[str, Callable[[], dict[str, float]]] = {
    "encoder": _encoder,
    "classifier": _classifier,
    "faces": _faces,
}


def _index(vectors: int) -> dict[str, float]:
    """Measure an index of random vectors. One search brings all of it into memory."""
    import faiss
    import numpy as np

    from scin.index.vectors import index_file, write_index
    from settings import Settings

    dimension = Settings.load().faiss_dimension
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="dermserve-sizing-") as folder:
        write_index(Path(folder), rng.standard_normal((vectors, dimension), dtype=np.float32))
        query = rng.standard_normal((1, dimension), dtype=np.float32)

        def load() -> object:
            index = faiss.read_index(str(Path(folder, index_file("flat"))), faiss.IO_FLAG_MMAP_IFC)
            index.search(query, 10)
            return index

        return _cost(load)


def _worker() -> None:
    """Print the cost of loading one worker. After a line on stdin, print the cost of requests."""
    from deploy.rehearsal.client import photo_of
    from ml.deadline import Deadline
    from server.instance import this_process
    from server.memory import release_memory, use_one_heap
    from settings import Settings
    from web.app import create_app

    use_one_heap()  # as the service does
    settings = Settings.load()
    application = create_app(settings, this_process(settings))
    services = application.extensions["dermserve"]
    began, photo = time.perf_counter(), photo_of(2)
    services.start()
    services.pipeline(Deadline(_LOADED_WITHIN_S))
    seconds = time.perf_counter() - began
    with application.test_client() as client:
        _analyse(client, photo)
        # An idle worker releases what the last request used. Otherwise it would count as the worker's, and the next
        # request would seem to need none.
        release_memory()
        _print_cost({"seconds": seconds})
        if not sys.stdin.readline():
            return
        before = _resident_mb()
        _reset_peak()
        walls, cpu = [], time.process_time()
        for _ in range(_REQUESTS):
            wall = time.perf_counter()
            _analyse(client, photo)
            walls.append(time.perf_counter() - wall)
        _print_cost(
            {
                "peak_mb": max(0.0, _resident_mb(peak=True) - before),
                "wall_s": min(walls),  # other programs on this machine only add to it
                "cpu_s": (time.process_time() - cpu) / _REQUESTS,
                "photo_mb": len(photo) / MIB,
            }
        )


def _analyse(client: FlaskClient, photo: bytes) -> None:
    answer = client.post("/api/analyze/skin", data=photo, content_type="image/jpeg")
    if answer.status_code != 200:
        raise SystemExit(f"the analysis failed: {answer.get_data(as_text=True)}")


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _resident_mb(*, peak: bool = False) -> float:
    wanted = "VmHWM:" if peak else "VmRSS:"
    line = next(text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith(wanted))
    return int(line.split()[1]) / 1024


def _print_cost(cost: dict[str, float]) -> None:
    # Libraries also write to stdout, so this prefix marks the measurement.
    os.write(1, f"\nmeasured {json.dumps(cost)}\n".encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m benchmarks.runtimes``: what runs the models, natively and compiled: speed, time to load, memory.

Each way is run by two processes that load all models, one after the other, as two workers do. Printed is what the
second reports while the first lives: the median processor time of a photo on one thread, the processor time until it
had loaded, and its memory after these photos: its own (USS), and with shared pages divided (PSS). Uses what
``python -m ml prepare`` compiled.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import psutil

from ml.models.compiled import NATIVE, ONNXRUNTIME, describe_processor
from ml.models.golden import golden_images
from ml.models.loading import load_models
from ml.values import RGB, Patient
from settings import Settings

_PHOTOS = 15
_ARMS = ((NATIVE, True, "native"), (ONNXRUNTIME, True, "onnxruntime"), (ONNXRUNTIME, False, "… weights copied"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=2, metavar=("ENGINE", "MMAP"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _load_and_run(options.child[0], options.child[1] == "True")
        return 0
    print(describe_processor()["cpu"], "\n")
    print("| | encoder, CPU ms | classifier, CPU ms | to load, CPU s | USS, MB | PSS, MB |\n|---|---|---|---|---|---|")
    for engine, mmap, title in _ARMS:
        encoder, classifier, seconds, private, proportional = _second_of_two(engine, mmap)
        print(f"| {title} | {encoder:.1f} | {classifier:.1f} | {seconds:.1f} | {private:.0f} | {proportional:.0f} |")
    return 0


def _second_of_two(engine: str, mmap: bool) -> tuple[float, float, float, float, float]:
    """(encoder's ms, classifier's ms, seconds to load, USS, PSS in MiB)."""
    command = [sys.executable, "-m", "benchmarks.runtimes", "--child", engine, str(mmap)]
    with ExitStack() as both:
        for _ in range(2):
            process = both.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            found: list[float] = json.loads(process.stdout.readline()) if process.stdout else []
        memory = psutil.Process(process.pid).memory_full_info()
    return found[0], found[1], found[2], memory.uss / 2**20, memory.pss / 2**20


def _load_and_run(engine: str, mmap: bool) -> None:
    """Ends when stdin does."""
    settings, quiet, started = Settings.load(), os.dup(1), time.process_time()
    os.dup2(2, 1)  # libraries write to stdout
    models = load_models(
        settings.models_dir,
        encoder=settings.building_encoder,
        classifier=settings.classifier,
        faces=True,
        threads=1,
        engine=engine,
        mmap=mmap,
    )
    seconds = time.process_time() - started
    photos = golden_images(_PHOTOS)
    encoder = _median_ms(lambda photo: models.encoder.embed([photo]), photos)
    classifier = _median_ms(lambda photo: models.classifier.predict([photo], Patient()), photos)
    os.write(quiet, f"{json.dumps([encoder, classifier, seconds])}\n".encode())
    sys.stdin.read()


def _median_ms(run: Callable[[RGB], object], photos: list[RGB]) -> float:
    taken = []
    for photo in photos:
        started = time.process_time()
        run(photo)
        taken.append((time.process_time() - started) * 1e3)
    return float(np.median(taken))


if __name__ == "__main__":
    sys.exit(main())

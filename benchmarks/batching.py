"""``python -m benchmarks.batching``: what the batcher does to throughput and latency of the loaded models.

Callers ask for one photo at a time, each as soon as it has its answer, without batching and with batches of up to 8:
1, 2, 4 and 8 of them. As many batches run side by side as the cores can with ``--threads`` each. The two arms take
turns in every round, in an order that changes; figures are the rounds' medians, ratios those of the rounds' own. The
processor time of a photo is what a busy neighbour disturbs least. See decision 0012.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from ml.backends.base import BATCH_SIZES
from ml.values import RGB, Patient
from settings import Settings
from web.cores import usable_cores
from web.threads import thread_environment

CALLERS = (1, 2, 4, 8)
Call = Callable[[], object]


@dataclass
class Arm:
    """One way to run a model. ``rates`` holds the photos a second of each round, ``cpu_ms`` the processor time of
    a photo, ``seconds`` every call's time."""

    call: Call
    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def run(self, callers: int, duration_s: float) -> None:
        """One round."""
        started, computed = time.perf_counter(), time.process_time()
        took: list[float] = []

        def ask_on() -> None:
            while (now := time.perf_counter()) < started + duration_s:
                self.call()
                took.append(time.perf_counter() - now)

        threads = [threading.Thread(target=ask_on) for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.rates.append(len(took) / (time.perf_counter() - started))
        self.cpu_ms.append((time.process_time() - computed) * 1e3 / len(took))
        self.seconds += took

    def row(self) -> str:
        p50, p99 = np.percentile(self.seconds, [50, 99]) * 1e3
        return f"{median(self.rates):.1f} | {p50:.0f} | {p99:.0f} | {median(self.cpu_ms):.0f}"


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    settings = Settings(intra_op_threads=options.threads)
    os.environ.update(thread_environment(settings))  # before a framework is imported
    at_once = max(1, usable_cores() // options.threads)
    print(f"{usable_cores()} cores, {options.threads} thread(s) a run, {at_once} run(s) side by side;", end=" ")
    print(f"{options.rounds} rounds of {options.seconds:g} s; load average before: {os.getloadavg()[0]:.1f}")
    for name, calls in _models(options, at_once).items():
        columns = "photos/s | p50 ms | p99 ms | CPU ms"
        print(f"\n{name}\n\n| callers | off: {columns} | on: {columns} | on/off: photos/s | CPU ms |")
        print("|" + 11 * "---|")
        for callers in CALLERS:
            off, on = (Arm(call) for call in calls)
            for turn in range(options.rounds):
                for arm in (off, on) if turn % 2 else (on, off):
                    arm.run(callers, options.seconds)
            ratios = f"{_ratio(on.rates, off.rates):.2f} | {_ratio(on.cpu_ms, off.cpu_ms):.2f}"
            print(f"| {callers} | {off.row()} | {on.row()} | {ratios} |", flush=True)
    return 0


def _ratio(on: list[float], off: list[float]) -> float:
    return median(with_it / without for with_it, without in zip(on, off, strict=True))


def _models(options: argparse.Namespace, at_once: int) -> dict[str, tuple[Call, Call]]:
    """Model and engine → a call without batching and one with it. Both share one loaded model."""
    from ml.classifier import LesionClassifier
    from ml.encoder import Encoder
    from ml.loading import load_models
    from ml.runner import Batching

    models = load_models(
        options.models,
        encoder="efficientnet-lite0",
        classifier="sklesion",
        faces=False,
        threads=options.threads,
        callers=max(CALLERS),
        engine=options.engine,
        batching=Batching(BATCH_SIZES[-1]),  # every size is warmed
    )
    batching = Batching(BATCH_SIZES[-1], side_by_side=at_once)
    encoder, classifier, photo = models.encoder, models.classifier, _photo()
    encoders = [Encoder(encoder.spec, encoder.backend, "", chosen) for chosen in (Batching(), batching)]
    classifiers = [LesionClassifier(classifier.spec, classifier.backend, chosen) for chosen in (Batching(), batching)]
    encode_off, encode_on = [lambda own=own: own.embed([photo]) for own in encoders]
    classify_off, classify_on = [lambda own=own: own.probabilities([photo], Patient()) for own in classifiers]
    named = {card.name: f"{card.name}, {card.engine}" for card in models.cards}
    return {
        named[encoder.spec.name]: (encode_off, encode_on),
        named[classifier.spec.name]: (classify_off, classify_on),
    }


def _photo() -> RGB:
    return np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batching", description=__doc__)
    parser.add_argument("--models", type=Path, default=Settings.load().models_dir)
    parser.add_argument("--engine", default="auto", help="as DERMSERVE_ENGINE")
    parser.add_argument("--threads", type=int, default=1, help="intra-op threads of a run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round and arm")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""Loads all models as a worker does, runs three photos, says how long loading took, and waits to be looked at.

``python -m ml.engines.footprint MODELS_DIR ENCODER CLASSIFIER ENGINE MMAP`` (MMAP: 1 or 0), for ml.engines.bench.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from ml.engines.agreement import trial_images
from ml.models.loading import load_models
from ml.values import Patient

_PHOTOS = 3


def main(arguments: list[str]) -> int:
    """Ends when stdin does."""
    models_dir, encoder, classifier, engine, mmap = arguments
    started = time.perf_counter()
    models = load_models(
        Path(models_dir),
        encoder=encoder,
        classifier=classifier,
        faces=True,
        threads=1,
        engine=engine,
        mmap=mmap == "1",
    )
    loaded = time.perf_counter() - started
    for photo in trial_images(_PHOTOS):
        models.encoder.embed([photo])
        models.classifier.probabilities([photo], Patient())
    os.write(1, f"loaded {loaded:.2f}\n".encode())
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

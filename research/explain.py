"""``python -m research.explain FOLDER``: the CPU time of explanations, and the fidelity of their heat maps.

Explains the photos in FOLDER with the sample index. The photos must be dermatoscopic, so that both models answer.
Prints for each heat map the mean deletion score, and the share of photos on which the most important region affects the
answer more than a region of the same shape elsewhere. Also prints the CPU time per photo with and without explanations.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, median

from ml.analysis.pipeline import Analyzer, CaseRequest
from ml.deadline import Deadline
from ml.imaging.decode import decode
from ml.models.compiled import AUTO
from ml.models.loading import load_models
from scin.index.search import load_index

_SUFFIXES = (".jpg", ".jpeg", ".png")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--var", type=Path, default=Path("var"))
    options = parser.parse_args(arguments)
    models = load_models(
        options.var / "models", encoder="efficientnet-lite0", classifier="sklesion", faces=False, threads=1, engine=AUTO
    )
    encoder = models.encoder
    folder = options.var / "index" / "sample"
    index = load_index(folder, encoder_fingerprint=encoder.fingerprint, dimension=encoder.dimension)
    analyzer = Analyzer(models, index)
    scores: dict[str, list[float]] = {}
    plain, explained, weights = [], [], []  # seconds, seconds, bytes
    for path in [path for path in sorted(options.folder.iterdir()) if path.suffix in _SUFFIXES][: options.photos]:
        photo = decode(path.read_bytes())
        asked = CaseRequest((photo,), modality="dermatoscopic")
        started = time.process_time()
        analyzer.analyze(asked, Deadline(600))
        between = time.process_time()
        analysis = analyzer.analyze(replace(asked, explain=True), Deadline(600))
        plain.append(between - started)
        explained.append(time.process_time() - between)
        weights.append(sum(len(overlay.data) for overlay in analysis.overlays))
        for overlay in analysis.overlays:
            if overlay.deletion_score is not None:
                scores.setdefault(overlay.name, []).append(overlay.deletion_score)
    for name, found in scores.items():
        better = mean(score > 0 for score in found)
        print(f"{name}: deletion score {mean(found):.3f}, above chance on {better:.2f} of {len(found)} photos")
    print(f"CPU time, median: {median(plain):.2f} s without explanations, {median(explained):.2f} s with them")
    print(f"overlays, median: {median(weights) / 1024:.0f} KiB of PNG")
    return 0


if __name__ == "__main__":
    sys.exit(main())

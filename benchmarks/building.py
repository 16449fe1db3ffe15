"""``python -m benchmarks.building rate | memory | cost``: how fast the index builder is, and what it holds.

``rate``: photos a second of a whole build (reading, thumbnails, shards and index included), over what decoding and the
encoder alone reach in one process on the same cores; the two take turns. ``memory``: the peak resident memory of
``python -m scin build``, for many small photos and for large ones. Photos are one made photo with different last bytes:
to the builder they are different. ``cost``: the processor time that each step takes for a photo of the sample, the size
of the sample's index, and both for as many photos as SCIN has with a label.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from ml.imaging.decode import decode
from ml.models.encoder import Encoder
from ml.models.loading import load_encoder
from ml.skin.colour import working_copy
from scin.build import build
from scin.build.embed import BATCH
from scin.build.photos import thumbnail
from scin.dataset import read_dataset
from scin.index.vectors import default_spec, index_file
from scin.layout import CASES_FILE, LABELS_FILE
from scin.sample import NAME
from settings import load_or_exit
from storage import Storage, open_storage

TARGET_RATIO = 0.9
#: photos, width, height, and the most MiB that they may take
MEMORY = {"small": (6_000, 224, 224, 2_048), "large": (1_000, 4_000, 3_000, 3_072)}
#: photos of SCIN's labelled cases, as its tables count them
LABELLED = 6_506


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rate", "memory", "cost"))
    parser.add_argument("--photos", type=int, help="how many (rate: 400; memory: 6,000 small ones, 1,000 large ones)")
    parser.add_argument("--sizes", nargs="+", choices=tuple(MEMORY), default=list(MEMORY))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="dermserve-building-") as folder:
        if options.what == "rate":
            measure_rate(Path(folder), options.photos or 400, options.rounds)
        elif options.what == "cost":
            measure_cost(Path(folder), options.rounds)
        else:
            for size in options.sizes:
                measure_memory(Path(folder, size), size, options.photos)
    return 0


def measure_rate(folder: Path, photos: int, rounds: int) -> None:
    """Print photos a second of both, and the ratio of the medians."""
    settings, cores = load_or_exit(), len(os.sched_getaffinity(0))
    encoder = load_encoder(settings.models_dir, settings.building_encoder, threads=1)
    dataset = write_dataset(folder / "dataset", photos, 224, 224)
    contents = [path.read_bytes() for path in sorted((dataset / "images").iterdir())]
    store, out = open_storage(str(dataset)), folder / "index"
    alone, built = _Times(photos), _Times(photos)
    for _ in range(rounds):
        alone.take(lambda: _decode_and_encode(contents, encoder, cores))
        built.take(lambda: build(store, out, encoder, name="rate"))
    print(f"{photos} photos of 224 × 224 on {cores} cores, median of {rounds}")
    print(f"decode + encoder {alone}")
    print(f"build            {built}")
    print(f"ratio of the rates {built.rate / alone.rate:.2f} (target: at least {TARGET_RATIO})")
    print(f"ratio of the processor time a photo {alone.cpu_ms / built.cpu_ms:.2f}: the same, whatever else runs here")


class _Times:
    """Of several runs over equally many photos."""

    def __init__(self, photos: int) -> None:
        self._photos = photos
        self._rates: list[float] = []
        self._cpu_ms: list[float] = []

    def take(self, action: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        self._rates.append(self._photos / (time.perf_counter() - wall))
        self._cpu_ms.append(1000 * (time.process_time() - cpu) / self._photos)

    @property
    def rate(self) -> float:
        return median(self._rates)

    @property
    def cpu_ms(self) -> float:
        return median(self._cpu_ms)

    def __str__(self) -> str:
        spread = f"({min(self._rates):.1f} to {max(self._rates):.1f})"
        return f"{self.rate:7.1f} photos/s {spread}, {self.cpu_ms:.1f} ms of processor time a photo"


def measure_memory(folder: Path, size: str, photos: int | None) -> None:
    """Print the peak of a process that builds."""
    wanted, width, height, most = MEMORY[size]
    count = photos or wanted
    dataset = write_dataset(folder / "dataset", count, width, height)
    command = [sys.executable, "-m", "scin", "build", "--source", str(dataset), "--out", str(folder / "index")]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rate = count / (time.perf_counter() - began)
    print(f"{count:,} photos of {width} × {height}: peak {peak:,.0f} MiB (target: under {most:,}), {rate:.1f} photos/s")


def write_dataset(folder: Path, photos: int, width: int, height: int) -> Path:
    """A dataset in SCIN's layout of ``photos`` photos, two a case: SCIN's labelled cases have 2.1."""
    (folder / "images").mkdir(parents=True)
    content = _photo(width, height)
    for number in range(photos):
        (folder / "images" / f"{number}.jpg").write_bytes(content + number.to_bytes(4, "big"))
    pairs = [(first, min(first + 1, photos - 1)) for first in range(0, photos, 2)]
    columns = "case_id,source,release,image_1_path,image_1_shot_type,image_2_path,image_2_shot_type\n"
    rows = (f"{n},SCIN,1.0.0,dataset/images/{n}.jpg,CLOSE_UP,dataset/images/{m}.jpg,AT_DISTANCE\n" for n, m in pairs)
    (folder / CASES_FILE).write_text(columns + "".join(rows))
    labels = (f"{n},\"{{'Condition {n % 7}': 1.0}}\"\n" for n, _ in pairs)
    (folder / LABELS_FILE).write_text("case_id,weighted_skin_condition_label\n" + "".join(labels))
    return folder


def _photo(width: int, height: int) -> bytes:
    rows, columns = np.mgrid[0:height, 0:width]
    spot = np.exp(-(((rows - height / 2) ** 2 + (columns - width / 2) ** 2) / (min(width, height) / 5) ** 2))
    skin = np.array([205.0, 160.0, 135.0]) - spot[..., None] * 90
    noise = np.random.default_rng(0).normal(0, 6, (height, width, 1))
    buffer = io.BytesIO()
    Image.fromarray(np.clip(skin + noise, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _decode_and_encode(contents: list[bytes], encoder: Encoder, cores: int) -> None:
    batches = [contents[start : start + BATCH] for start in range(0, len(contents), BATCH)]
    with ThreadPoolExecutor(cores) as pool:
        for _ in pool.map(lambda batch: encoder.embed([decode(content).rgb for content in batch]), batches):
            pass


def measure_cost(folder: Path, rounds: int) -> None:
    """Print milliseconds of processor time by step, and bytes by file."""
    settings = load_or_exit()
    encoder = load_encoder(settings.models_dir, settings.building_encoder, threads=1)
    store = open_storage(str(settings.var / NAME / "dataset"))
    _print_time(store, encoder, rounds)
    _print_sizes(store, encoder, folder)


def _print_time(store: Storage, encoder: Encoder, rounds: int) -> None:
    cases = [case for case in read_dataset(store).cases if case.label.weights]
    photos = [store.read(image.path) for case in cases for image in case.images]
    took = [_cpu_ms(photos, encoder) for _ in range(rounds)]
    each = {step: median(times[step] for times in took) for step in took[0]}
    ms, steps = sum(each.values()), ", ".join(f"{step} {time:.1f}" for step, time in each.items())
    print(f"{len(photos)} photos of the sample, median of {rounds}: {ms:.1f} ms of processor time each ({steps})")
    print(f"{LABELLED:,} such photos: {ms * LABELLED / 60_000 / 2:.1f} minutes of two cores")


def _cpu_ms(photos: Sequence[bytes], encoder: Encoder) -> dict[str, float]:
    """Step → milliseconds of processor time for a photo."""
    spent: dict[str, float] = defaultdict(float)
    began = time.process_time()

    def ends(step: str) -> None:
        nonlocal began
        spent[step] += time.process_time() - began
        began = time.process_time()

    for start in range(0, len(photos), BATCH):
        batch = photos[start : start + BATCH]
        decoded = [decode(content).rgb for content in batch]
        ends("decode")
        for rgb in decoded:
            thumbnail(working_copy(rgb))
        ends("thumbnail")
        encoder.embed(decoded)
        ends("encode")
    return {step: 1000 * seconds / len(photos) for step, seconds in spent.items()}


def _print_sizes(store: Storage, encoder: Encoder, folder: Path) -> None:
    """Of an index of LABELLED photos: the sample's bytes a photo, and of the searched vectors as much as is kept of so
    many of them."""
    out, shards = folder / "index", folder / "shards"
    manifest = build(store, out, encoder, name=NAME, shards=shards)
    sizes = {file: (out / file).stat().st_size / manifest.vectors for file in sorted(manifest.files)}
    kept = default_spec(LABELLED, encoder.dimension).components or encoder.dimension
    sizes[index_file("flat")] *= kept / encoder.dimension
    sizes = {"the index": sum(sizes.values()), **sizes}
    sizes["shards"] = sum(file.stat().st_size for file in shards.glob("*.parquet")) / manifest.vectors
    print(f"an index of {LABELLED:,} such photos ({kept} of {encoder.dimension} components are searched):")
    for file, size in sizes.items():
        print(f"  {file:<16} {size / 1000:5.2f} kB a photo, {size * LABELLED / 1e6:5.1f} MB")


if __name__ == "__main__":
    sys.exit(main())

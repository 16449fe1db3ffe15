"""What a photo of the sample costs the index builder, and what an index of as many photos as SCIN's comes to."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from ml.imaging.decode import decode
from ml.models.encoder import Encoder
from ml.models.loading import load_encoder
from ml.skin.colour import working_copy
from scin.build import build
from scin.build.embed import BATCH
from scin.build.photos import monk_of, thumbnail
from scin.dataset import read_dataset
from scin.index.vectors import default_spec, index_file
from scin.sample import NAME
from settings import load_or_exit
from storage import Storage, open_storage

#: photos of SCIN's labelled cases, as its tables count them
LABELLED = 6_506


def measure_cost(folder: Path, rounds: int) -> None:
    """Print milliseconds of processor time by step, and bytes by file."""
    settings = load_or_exit()
    encoder = load_encoder(settings.models_dir, settings.encoder, threads=1)
    store = open_storage(str(settings.var / NAME / "dataset"))
    _print_time(store, encoder, rounds)
    _print_sizes(store, encoder, folder)


def _print_time(store: Storage, encoder: Encoder, rounds: int) -> None:
    cases = [case for case in read_dataset(store).cases if case.label.weights]
    photos = [(store.read(image.path), image is case.images[0]) for case in cases for image in case.images]
    took = [_cpu_ms(photos, encoder) for _ in range(rounds)]
    each = {step: median(times[step] for times in took) for step in took[0]}
    ms, steps = sum(each.values()), ", ".join(f"{step} {time:.1f}" for step, time in each.items())
    print(f"{len(photos)} photos of the sample, median of {rounds}: {ms:.1f} ms of processor time each ({steps})")
    print(f"{LABELLED:,} such photos: {ms * LABELLED / 60_000 / 2:.1f} minutes of two cores")


def _cpu_ms(photos: Sequence[tuple[bytes, bool]], encoder: Encoder) -> dict[str, float]:
    """Step → milliseconds of processor time for a photo, of photos and whether their tone is estimated."""
    spent: dict[str, float] = defaultdict(float)
    began = time.process_time()

    def ends(step: str) -> None:
        nonlocal began
        spent[step] += time.process_time() - began
        began = time.process_time()

    for start in range(0, len(photos), BATCH):
        batch = photos[start : start + BATCH]
        decoded = [decode(content).rgb for content, _ in batch]
        ends("decode")
        small = [working_copy(rgb) for rgb in decoded]
        for rgb in small:
            thumbnail(rgb)
        ends("thumbnail")
        for rgb, (_, toned) in zip(small, batch, strict=True):
            if toned:
                monk_of(rgb)
        ends("tone")
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

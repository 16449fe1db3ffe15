"""``python -m ml.training.outlines FOLDER … [--write]``: train the network that outlines lesions.

Each FOLDER contains ``img/*.jpg`` or ``*.png`` and ``mask/*.png`` of the same names (nonzero: lesion). If it contains
``labels.csv`` (file, patient_id, diagnostic), the folds keep patients together and the figures are by diagnosis.
Prints the overlap (IoU) of the outlines with the masks in three folds, then trains on everything. ``--write`` saves
the network, and what it was fitted to, where `ml.skin.outline` reads them.

The network is a U-Net (Ronneberger 2015) of depthwise separable convolutions, which sees a photo at 128 × 128 pixels.
Beside the photos it is trained on painted patches with known outlines, and on skin without a lesion. The loss is
cross-entropy plus soft Dice (Milletari 2016); the weights that are kept are their exponential moving average.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ml.skin.outline import (
    FITTED,
    NETWORK,
    SIDE,
    Segmentation,
    agreement,
    from_probability,
    normalised,
    probability,
)
from ml.training.outline_photos import Photo, augmented, beside, painted, plain, read_folder
from ml.values import RGB, Floats, Mask

WIDTHS = (16, 32, 48, 64, 96)
BATCH, LEARNING_RATE, DECAY, AVERAGED = 16, 4e-3, 0.02, 0.998
_PAINTED, _EMPTY = 0.1, 0.08  # shares of a batch
_OFTEN = {"ACK": 1.7, "SCC": 1.5, "MEL": 1.3}  # how often a photo of a diagnosis that is hard or rare is seen
FOLDS, STEPS = 3, 4000
_GOOD = 0.7  # IoU of an outline whose shape is worth measuring
_RESAMPLES = 1000


class Block(nn.Module):
    """Two depthwise separable convolutions, 5 × 5 and 3 × 3, beside a shortcut (He 2016)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(before, before, 5, padding=2, groups=before, bias=False),
            nn.BatchNorm2d(before),
            nn.Conv2d(before, after, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, groups=after, bias=False),
            nn.BatchNorm2d(after),
            nn.Conv2d(after, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.convolutions(x) + self.shortcut(x))


class Network(nn.Module):
    """Logits (n, 1, 128, 128) that a pixel belongs to a lesion, from normalised photos (n, 3, 128, 128)."""

    def __init__(self) -> None:
        super().__init__()
        first, pairs = WIDTHS[0], list(pairwise(WIDTHS))
        self.stem = nn.Sequential(nn.Conv2d(3, first, 5, 2, 2, bias=False), nn.BatchNorm2d(first), nn.ReLU())
        self.down = nn.ModuleList(Block(before, after) for before, after in pairs)
        self.up = nn.ModuleList(nn.Conv2d(after, before, 1) for before, after in pairs)
        last = nn.Sequential(
            nn.Conv2d(first, first, 3, padding=1, groups=first, bias=False),
            nn.BatchNorm2d(first),
            nn.Conv2d(first, first, 1),
            nn.ReLU(),
        )
        self.mix = nn.ModuleList([last, *(Block(width, width) for width in WIDTHS[1:-1])])
        self.head = nn.Conv2d(first, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        kept = []
        for down in self.down:
            kept.append(x)
            x = down(F.max_pool2d(x, 2))
        for up, mix, early in reversed(list(zip(self.up, self.mix, kept, strict=True))):
            x = mix(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + early)
        return F.pixel_shuffle(self.head(x), 2)


def batches(photos: Sequence[Photo], steps: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """``steps`` batches of normalised photos (n, 3, 128, 128) and masks (n, 1, 128, 128), made in a second thread."""
    rng = np.random.default_rng(seed)
    often = np.array([_OFTEN.get(photo.kind, 1.0) for photo in photos])
    often /= often.sum()
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(_batch, rng, photos, often) for _ in range(4)]
        for _ in range(steps):
            yield waiting.pop(0).result()
            waiting.append(pool.submit(_batch, rng, photos, often))


def _batch(rng: np.random.Generator, photos: Sequence[Photo], often: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    pairs = [_sample(rng, photos[place]) for place in rng.choice(len(photos), BATCH, p=often)]
    seen = torch.from_numpy(np.stack([one for one, _ in pairs])).contiguous(memory_format=torch.channels_last)
    return seen, torch.from_numpy(np.stack([mask for _, mask in pairs]).astype(np.float32))[:, None]


def _sample(rng: np.random.Generator, photo: Photo) -> tuple[Floats, Mask]:
    rgb, mask, what = photo.rgb, photo.mask, rng.random()
    if what < _PAINTED + _EMPTY:
        rgb = plain(rng, photo)
        mask = np.zeros(rgb.shape[:2], np.bool_)
        if what < _PAINTED:
            rgb, mask = painted(rng, rgb)
    rgb, mask = augmented(rng, rgb, mask, SIDE)
    return normalised(rgb), mask


def loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy, plus 1 − soft Dice of the photos with a lesion."""
    probable = logits.sigmoid()
    both = (probable * masks).sum(dim=(1, 2, 3))
    sizes = (probable + masks).sum(dim=(1, 2, 3))
    present = (masks.sum(dim=(1, 2, 3)) > 0).float()
    dice = present * (1 - (2 * both + 1) / (sizes + 1))
    return F.binary_cross_entropy_with_logits(logits, masks) * 2 + dice.mean()


def train(photos: Sequence[Photo], steps: int, seed: int) -> Network:
    """The network after ``steps`` batches of ``photos``."""
    torch.manual_seed(seed)
    network = Network()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(network)
    average.eval()
    rule = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(rule, LEARNING_RATE, total_steps=steps + 1, pct_start=0.15)
    started, sums = time.monotonic(), 0.0
    for step, (seen, masks) in enumerate(batches(photos, steps, seed), start=1):
        network.train()
        wrong = loss(network(seen), masks)
        rule.zero_grad()
        torch.autograd.backward(wrong)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        rule.step()
        schedule.step()
        _average(average, network, min(AVERAGED, step / (step + 10)))
        sums += wrong.item()
        if step % 200 == 0:
            print(f"step {step}: loss {sums / 200:.3f}, {time.monotonic() - started:.0f} s", flush=True)
            sums = 0.0
    return average


@torch.no_grad()
def _average(average: Network, network: Network, kept: float) -> None:
    for old, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.mul_(kept).add_(new, alpha=1 - kept)


def folds(photos: Sequence[Photo], number: int) -> NDArray[np.intp]:
    """The fold (n,) of each photo; the photos of a person are in one fold."""
    people = sorted({photo.whose for photo in photos})
    order = dict(zip(people, np.random.default_rng(1).permutation(len(people)) % number, strict=True))
    return np.array([order[photo.whose] for photo in photos])


@dataclass(frozen=True)
class Figure:
    """How well the outline of a ``photo`` overlaps with its mask (``iou``), and the outline's `agreement`."""

    photo: Photo
    iou: float
    agreement: float


@torch.no_grad()
def examine(network: Network, photos: Sequence[Photo]) -> list[Figure]:
    """The figures of ``photos``, outlined as they are when served."""
    found = []
    for photo in photos:
        outlined = _outlined(network, photo.rgb, photo.truth.shape)
        if outlined is None:
            found.append(Figure(photo, float(not photo.truth.any()), 0.0))
            continue
        both, either = (np.count_nonzero(mask) for mask in (outlined.mask & photo.truth, outlined.mask | photo.truth))
        found.append(Figure(photo, both / either, agreement(outlined.narrow, outlined.wide)))
    return found


@torch.no_grad()
def false_agreements(network: Network, photos: Sequence[Photo]) -> list[float]:
    """The agreement of what is outlined in a square beside the lesion of each photo; 0 if nothing is."""
    rng = np.random.default_rng(0)
    squares = [square for photo in photos if (square := beside(rng, photo)) is not None]
    outlines = [_outlined(network, square, square.shape) for square in squares]
    return [0.0 if found is None else agreement(found.narrow, found.wide) for found in outlines]


def _outlined(network: Network, rgb: RGB, shape: tuple[int, ...]) -> Segmentation | None:
    likely = probability(rgb, lambda some: np.asarray(network(torch.from_numpy(some)).numpy(), np.float32))
    return None if likely is None else from_probability(likely, shape)


def report(figures: Sequence[Figure], least: float) -> list[dict[str, object]]:
    """Print and return the median IoU by kind of photo and Fitzpatrick type, with its 95% bootstrap interval over
    people: of all outlines, of those with an agreement of ``least`` or more, which are called sure, and of the
    others."""
    rows = []
    for name, group in _groups(figures):
        sure = [figure for figure in group if figure.agreement >= least]
        unsure = [figure for figure in group if figure.agreement < least]
        low, high = _interval(group)
        row: dict[str, object] = {
            "photos": name,
            "n": len(group),
            "iou": _median(group),
            "interval": [low, high],
            "sure": len(sure),
            "iou_sure": _median(sure),
            "iou_not_sure": _median(unsure),
        }
        rows.append(row)
        print(
            f"{name:12} n {len(group):4}  IoU median {_median(group)} [{low}, {high}]  "
            f"sure {len(sure)}: {_median(sure)}, others {_median(unsure)}"
        )
    return rows


def _groups(figures: Sequence[Figure]) -> Iterator[tuple[str, list[Figure]]]:
    yield "all", list(figures)
    for kind in sorted({figure.photo.kind for figure in figures}):
        yield kind, [figure for figure in figures if figure.photo.kind == kind]
    for skin_type in sorted({figure.photo.skin_type for figure in figures} - {""}):
        yield f"skin type {skin_type}", [figure for figure in figures if figure.photo.skin_type == skin_type]


def _median(figures: Sequence[Figure]) -> float | None:
    return round(float(np.median([figure.iou for figure in figures])), 3) if figures else None


def _interval(figures: Sequence[Figure]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    people: dict[str, list[float]] = {}
    for figure in figures:
        people.setdefault(figure.photo.whose, []).append(figure.iou)
    groups = [np.array(values) for values in people.values()]
    medians = [
        np.median(np.concatenate([groups[place] for place in rng.integers(len(groups), size=len(groups))]))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.percentile(medians, (2.5, 97.5))
    return round(float(low), 3), round(float(high), 3)


def least_agreement(figures: Sequence[Figure]) -> float:
    """The agreement from which an outline is called sure: the threshold that best separates an IoU of at least .7
    from less, by the sum of the two shares that are right (Youden 1950)."""
    good = np.array([figure.iou >= _GOOD for figure in figures])
    values = np.array([figure.agreement for figure in figures])
    candidates = np.linspace(0.3, 0.95, 66)
    gains = [np.mean(values[good] >= least) + np.mean(values[~good] < least) for least in candidates]
    return round(float(candidates[int(np.argmax(gains))]), 2)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--steps", type=int, default=STEPS, help="batches of 16 photos in each training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoints", type=Path, help="keep each trained network in this folder, and use it again")
    parser.add_argument("--write", action="store_true", help="write the network for ml.skin.outline")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    photos = [photo for folder in options.folders for photo in read_folder(folder)]
    fold = folds(photos, FOLDS)
    figures, false = [], []
    for number in range(FOLDS):
        known = [photo for photo, own in zip(photos, fold, strict=True) if own != number]
        unseen = [photo for photo, own in zip(photos, fold, strict=True) if own == number]
        network = _trained(options, f"fold{number}", known, seed=10 + number)
        figures += examine(network, unseen)
        false += false_agreements(network, unseen)
    least = least_agreement(figures)
    print(f"{len(photos)} photos of {len({photo.whose for photo in photos})} people, {FOLDS} folds; sure from {least}")
    rows = report(figures, least)
    beside_lesions = {
        "n": len(false),
        "outlined": sum(one > 0 for one in false),
        "sure": sum(one >= least for one in false),
    }
    print(f"squares beside a lesion: {beside_lesions}")
    if options.write:
        graph = exported(_trained(options, "all", photos, seed=3))
        NETWORK.write_bytes(graph)
        command = f"python -m ml.training.outlines {' '.join(folder.name for folder in options.folders)} --write"
        fitted = {"command": command, "date": datetime.now(UTC).date().isoformat(), "steps": options.steps}
        facts = {
            "fitted": fitted,
            "sure": {"agreement": least},
            "folds": FOLDS,
            "figures": rows,
            "beside_lesions": beside_lesions,
        }
        FITTED.write_text(json.dumps(facts, indent=1) + "\n")
        print(f"{NETWORK.name}: {len(graph)} bytes")
    return 0


def _trained(options: argparse.Namespace, name: str, photos: Sequence[Photo], seed: int) -> Network:
    """The network trained on ``photos``, or the one that was kept under this name."""
    kept = options.checkpoints and options.checkpoints / f"{name}.pt"
    if kept and kept.exists():
        network = Network().eval()
        network.load_state_dict(torch.load(kept, weights_only=True))
        return network
    print(f"{name}: {len(photos)} photos", flush=True)
    network = train(photos, options.steps, seed)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), kept)
    return network


def exported(network: Network) -> bytes:
    """The network as an ONNX graph, compressed. Weights are rounded to 16 bits (bfloat16), half of which gzip saves."""
    program = torch.onnx.export(network.eval(), (torch.zeros(2, 3, SIDE, SIDE),), dynamo=True, verbose=False)
    assert program is not None
    program.optimize()
    graph = program.model_proto
    for node in graph.graph.node:
        del node.metadata_props[:]
    for weights in graph.graph.initializer:
        if weights.data_type == weights.FLOAT:
            bits = np.frombuffer(weights.raw_data, np.uint32)
            weights.raw_data = ((bits + 0x7FFF) & 0xFFFF0000).astype(np.uint32).tobytes()
    return gzip.compress(graph.SerializeToString(), mtime=0)


if __name__ == "__main__":
    sys.exit(main())

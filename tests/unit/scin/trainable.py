"""A small dataset to train on, and ``python -m tests.unit.scin.trainable DATASET OUT MODELS``: a training to be killed.

The training says its stage at each step, and "ended" at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from ml.training.encoder import TrainingRecipe
from scin.train.run import Options, Outcome, train
from storage import open_storage
from tests.unit.scin.scin_folder import case, label, write_photo, write_tables

CASES, EPOCHS = 104, 2
CONDITIONS = ("Acne", "Eczema", "Psoriasis")
RECIPE = TrainingRecipe(side=32, batch=16)


def write_dataset(folder: Path, cases: int = CASES) -> Path:
    """Single-photo cases of random pictures, whose labels nobody can tell from the photo. Some differentials have
    two conditions."""
    rows, labels = [], []
    for n in range(cases):
        rows.append(case(str(n), f"{n}.png"))
        first, second = CONDITIONS[n % 3], CONDITIONS[(n + 1) % 3]
        labels.append(label(str(n), {first: 0.75, second: 0.25} if n % 9 == 0 else {first: 1.0}))
    write_tables(folder, rows, labels)
    for n in range(cases):
        write_photo(folder, f"{n}.png", seed=n)
    return folder


def run(
    dataset: Path,
    out: Path,
    models: Path,
    *,
    seed: int = 1,
    force: bool = False,
    minutes: float | None = None,
    checkpoint_s: float = 60,
    watch: Callable[[str], None] = lambda stage: None,
) -> Outcome:
    """Train for EPOCHS short epochs. ``watch`` gets the stage at each step."""

    def progress(stage: str, done: int, total: int) -> None:
        watch(stage)

    options = Options(minutes, EPOCHS, seed=seed, force=force, recipe=RECIPE, checkpoint_s=checkpoint_s)
    return train(open_storage(str(dataset)), out, models, options, progress)


def _say(stage: str) -> None:
    sys.stdout.write(f"{stage}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    dataset, out, models = map(Path, sys.argv[1:])
    run(dataset, out, models, checkpoint_s=0, watch=_say)
    sys.stdout.write("ended\n")

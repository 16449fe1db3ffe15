"""``python -m research.coverage --cases 1000``: the coverage of conformal sets in each group of skin tones.

Generates and indexes a sample of cases below ``--var`` (kept for the next run). Answers each fold of cases with
parameters and a calibration that were fitted to the other folds. For each stated coverage and tone group, prints the
share of sets that contain a leading condition with its 95% Wilson interval, the deviation expected by chance, and the
mean size of the sets. Exits with 1 if the coverage of a group differs by more than 3 percentage points.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ml.analysis.decision import ALL, TONE_GROUPS
from ml.models.loading import load_encoder
from ml.training.statistics import wilson
from scin.build.progress import ProgressLine
from scin.evaluate.cases import MONK_GROUP, LabelledCases, case_folds
from scin.evaluate.fit import COVERAGES
from scin.evaluate.leaderboard import FOLDS, HeldOut, answer_held_out
from scin.evaluate.run import read_index
from scin.sample import DEFAULT_SEED, build_sample, is_current

MAX_DEVIATION = 0.03
_Z = 1.959964


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="seed of the folds")
    parser.add_argument("--var", type=Path, default=Path("var"))
    options = parser.parse_args(arguments)
    _, cases = read_index(_sample(options.var, options.cases), options.seed)
    show = ProgressLine()
    fold = case_folds(cases, FOLDS, options.seed)
    answered = answer_held_out(cases, fold, options.seed, lambda done, total: show("folds", done, total))
    print(f"{len(cases)} labelled cases, {len(cases.conditions)} conditions, {FOLDS} folds")
    print(f"outliers (distance beyond the 99th percentile of the index): {answered.outliers.mean():.3f}")
    return 0 if _report(cases, answered) else 1


def _sample(var: Path, cases: int) -> Path:
    """The index of a generated sample. It is built if it does not exist."""
    encoder = load_encoder(var / "models", "efficientnet-lite0", threads=1)
    folder = var / "coverage" / str(cases)
    if not is_current(folder / "index", encoder.fingerprint, encoder.dimension):
        show = ProgressLine()
        build_sample(folder / "photos", folder / "index", encoder, cases=cases, seed=DEFAULT_SEED, progress=show)
    return folder / "index"


def _report(cases: LabelledCases, answered: HeldOut) -> bool:
    """Print the table. Returns whether every group with cases is within MAX_DEVIATION of the stated coverage."""
    own = cases.tones[MONK_GROUP]
    members = {ALL: np.ones(len(cases), np.bool_), **{group: own == group for group in TONE_GROUPS}}
    print("stated  tone group     n  coverage [95% interval]  error  by chance     mean set size (of all)")
    within = True
    for coverage in COVERAGES:
        for group, inside in members.items():
            n, hits = int(inside.sum()), int(answered.covered[coverage][inside].sum())
            if not n:
                print(f"  {coverage:.2f}  {group:<10}     0  no case")
                continue
            off, (low, high) = hits / n - coverage, wilson(hits, n)
            chance = _Z * np.sqrt(coverage * (1 - coverage) / n)
            size = answered.set_sizes[coverage][inside].mean()
            print(
                f"  {coverage:.2f}  {group:<10} {n:5d}  {hits / n:.3f} [{low:.3f}, {high:.3f}]  {100 * off:+5.1f}"
                f"       ±{100 * chance:.1f}  {size:8.2f} ({len(cases.conditions)})"
            )
            within &= abs(off) <= MAX_DEVIATION
    return within


if __name__ == "__main__":
    sys.exit(main())

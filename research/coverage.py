"""``python -m research.coverage --cases 1000``: do conformal sets hold what they state, on every group of skin tones?

Generates and indexes a sample of so many cases below ``--var`` (kept for the next run), then answers each fifth of the
cases by parameters and a calibration that never saw it, and prints for each stated coverage and tone group how many
sets held a leading condition, with its 95% Wilson interval and how far chance alone would put it, and the mean size of
the sets beside that of always answering every condition. Exits with 1 if a group lies more than 3 points off.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from ml.analysis.decision import ALL, TONE_GROUPS
from ml.models.loading import load_encoder
from research.shares import wilson
from scin.build.progress import ProgressLine
from scin.evaluate.cases import OWN_GROUP, LabelledCases, case_folds
from scin.evaluate.fit import COVERAGES
from scin.evaluate.leaderboard import FOLDS, HeldOut, answer_held_out
from scin.evaluate.run import read_index
from scin.sample import DEFAULT_SEED, build_sample, is_current

MOST_OFF = 0.03
_Z = 1.959964


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of the folds")
    parser.add_argument("--var", type=Path, default=Path("var"))
    options = parser.parse_args(arguments)
    _, cases = read_index(_sample(options.var, options.cases), options.seed)
    show = ProgressLine()
    fold = case_folds(cases, FOLDS, options.seed)
    answered = answer_held_out(cases, fold, options.seed, lambda done, total: show("folds", done, total))
    print(f"{len(cases)} labelled cases, {len(cases.conditions)} conditions, {FOLDS} folds")
    print(f"unlike the index (beyond its 99th percentile of distance): {answered.outliers.mean():.3f}")
    return 0 if _report(cases, answered) else 1


def _sample(var: Path, cases: int) -> Path:
    """The index of a generated sample, made if it is not there."""
    encoder = load_encoder(var / "models", "efficientnet-lite0", threads=1)
    folder = var / "coverage" / str(cases)
    if not is_current(folder / "index", encoder.fingerprint, encoder.dimension):
        show = ProgressLine()
        build_sample(folder / "photos", folder / "index", encoder, cases=cases, seed=DEFAULT_SEED, progress=show)
    return folder / "index"


def _report(cases: LabelledCases, answered: HeldOut) -> bool:
    """Print the table; whether every group with a row lies within MOST_OFF."""
    own = cases.tones[OWN_GROUP]
    members = {ALL: np.ones(len(cases), np.bool_), **{group: own == group for group in TONE_GROUPS}}
    print("stated  tone group     n  coverage [95% interval]    off  chance alone  mean set size (of all)")
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
            within &= abs(off) <= MOST_OFF
    return within


if __name__ == "__main__":
    sys.exit(main())

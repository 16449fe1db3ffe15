"""The pictures of an evaluation, PNG; the same figures give the same picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from scin.evaluation.evaluation import Evaluation, Reliability
from scin.evaluation.held_out import VOTE
from scin.evaluation.metrics import TOP_1, TOP_3
from scin.index.manifest import Manifest

ACCURACY, RELIABILITY, CONFUSION = "accuracy-by-tone.png", "reliability.png", "confusion.png"
_DPI = 120


def draw(found: Evaluation, manifest: Manifest, out: Path) -> list[Path]:
    """Write the three pictures to ``out``; returns where."""
    note = f"{manifest.name}: {found.cases} cases" + (", generated data" if manifest.synthetic else "")
    pictures = {
        ACCURACY: _accuracy_by_tone(found, note),
        RELIABILITY: _reliability(found, note),
        CONFUSION: _confusion(found, note),
    }
    for name, canvas in pictures.items():
        canvas.savefig(out / name, dpi=_DPI, metadata={"Software": None})
    return [out / name for name in pictures]


def _accuracy_by_tone(found: Evaluation, note: str) -> Canvas:
    scales = found.tones[VOTE]
    canvas = Canvas(figsize=(4.2 * len(scales), 4.2), layout="constrained")
    row = canvas.subplots(1, len(scales), sharey=True, squeeze=False)[0]
    for axes, (scale, groups) in zip(row, scales.items(), strict=True):
        for shift, metric in ((-0.12, TOP_1), (0.12, TOP_3)):
            known = [(place, f[metric]) for place, f in enumerate(groups.values()) if f[metric].value is not None]
            places = np.array([place + shift for place, _ in known])
            low, value, high = (
                np.array([getattr(figure, part) for _, figure in known]) for part in ("low", "value", "high")
            )
            axes.errorbar(places, value, yerr=[value - low, high - value], fmt="o", capsize=3, label=metric)
        for place, figures in enumerate(groups.values()):
            if figures[TOP_1].value is None:
                axes.text(place, 0.5, "too few", rotation=90, ha="center", va="center", color="grey")
        labels = [f"{group}\nn = {figures[TOP_1].n}" for group, figures in groups.items()]
        axes.set_xticks(range(len(groups)), labels, rotation=90, fontsize=8)
        axes.set(title=scale, ylim=(0, 1.03), xlim=(-0.6, len(groups) - 0.4))
        axes.grid(axis="y", alpha=0.3)
    canvas.axes[0].set_ylabel("accuracy, 95% interval")
    canvas.axes[0].legend()
    canvas.suptitle(f"{VOTE}, held-out folds ({note})")
    return canvas


def _reliability(found: Evaluation, note: str) -> Canvas:
    canvas = Canvas(figsize=(5.5, 5.5), layout="constrained")
    axes = canvas.subplots()
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    _bins(axes, found.before, f"as voted, error {found.before.error:.3f}")
    _bins(axes, found.after, f"calibrated, error {found.after.error:.3f}")
    axes.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="probability of the first condition", ylabel="how often it leads")
    axes.legend()
    axes.set_title(f"Reliability on held-out folds ({note})", fontsize=10)
    return canvas


def _bins(axes: Axes, reliability: Reliability, label: str) -> None:
    confidence, accuracy, cases = (np.array(part) for part in zip(*reliability.bins, strict=True))
    (line,) = axes.plot(confidence, accuracy, "-", label=label)
    axes.scatter(confidence, accuracy, s=8 + 200 * cases / cases.sum(), color=line.get_color(), alpha=0.7)


def _confusion(found: Evaluation, note: str) -> Canvas:
    names, counts = found.confusion.conditions, found.confusion.counts
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    canvas = Canvas(figsize=(8, 7), layout="constrained")
    axes = canvas.subplots()
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(names) + 1), [*names, "any other"], rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="ranked first by the vote", ylabel="weighs most for the dermatologists")
    axes.set_title(f"The commonest conditions, held-out folds ({note})", fontsize=10)
    return canvas

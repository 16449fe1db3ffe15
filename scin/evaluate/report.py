"""The leaderboard's files: JSON for programs, Markdown for people, and three PNG plots."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from scin.evaluate import metrics
from scin.evaluate.fit import Choice
from scin.evaluate.leaderboard import FOLDS, PROTOCOLS, PUBLISHED, SERVED, Disagreement, Evaluation, Reliability
from scin.evaluate.metrics import LEVEL, TOO_FEW, TOP_1, TOP_3, Figure
from scin.index.manifest import Manifest

MAIN_METRICS = (TOP_1, TOP_3, metrics.TOP_5, metrics.NDCG, metrics.RECALL, metrics.AUROC)
_DIFFERENTIAL_METRICS = tuple(f"{kind}-{k}" for kind in ("any", "weight") for k in metrics.CUTS)
_INDEX_FACTS = (
    "name",
    "dataset",
    "release",
    "synthetic",
    "encoder",
    "encoder_version",
    "encoder_fingerprint",
    "dimension",
    "attribution",
)
_DPI = 120


def write_leaderboard(found: Evaluation, manifest: Manifest, out: Path, *, seed: int, resamples: int) -> None:
    """Write ``leaderboard.json``, ``leaderboard.md`` and the plots. The same evaluation gives the same bytes."""
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "leaderboard.json", _facts(found, manifest, seed, resamples))
    (out / "leaderboard.md").write_text(_markdown(found, manifest, seed, resamples), encoding="utf-8")
    note = f"{manifest.name}: {found.counts.cases} cases" + (", generated data" if manifest.synthetic else "")
    plots = {
        "accuracy-by-tone.png": _plot_accuracy_by_tone(found, note),
        "reliability.png": _plot_reliability(found, note),
        "confusion.png": _plot_confusion(found, note),
    }
    for name, canvas in plots.items():
        canvas.savefig(out / name, dpi=_DPI, metadata={"Software": None})


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Write facts that may hold dataclasses and arrays; a ``Figure`` without a value says that it had too few cases."""
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Figure) and value.value is None:
        return {"n": value.n, "too_few": True}
    return vars(value)


def _facts(found: Evaluation, manifest: Manifest, seed: int, resamples: int) -> dict[str, Any]:
    return {
        "index": {name: getattr(manifest, name) for name in _INDEX_FACTS},
        "protocol": {
            "folds": FOLDS,
            "seed": seed,
            "resamples": resamples,
            "interval": LEVEL,
            "too_few_below": TOO_FEW,
            "least_cases_of_a_condition": metrics.MIN_CASES,
        },
        "data": found.counts,
        "overall": found.overall,
        "by_tone": found.tones,
        "image_split": {"images": found.image_split, "whole_cases": found.case_split, "published": PUBLISHED},
        "calibration": {
            "before": found.before,
            "after": found.after,
            "sets": found.sets,
            "share_called_outliers": found.outliers,
        },
        "disagreement": found.disagreement,
        "confusion": found.confusion,
        "chosen": _choice(found.choice),
        "chosen_on_each_fold": [_choice(choice) for choice in found.choices],
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "transform": choice.transform.steps,
        **vars(choice.vote),
        "head": choice.head._asdict(),
        "head_weight": choice.head_weight,
        "score": choice.score,
        "tried": choice.tried,
        "mixtures": {f"{weight:g}": score for weight, score in choice.mixtures.items()},
    }


def _markdown(found: Evaluation, manifest: Manifest, seed: int, resamples: int) -> str:
    overall = {name: found.overall[name] for name in PROTOCOLS}
    sections = [
        [f"# Leaderboard of the index “{manifest.name}”", *_heading(found, manifest, seed, resamples)],
        ["## All cases", *_figures_table("protocol", overall, MAIN_METRICS)],
        ["## The whole differential", *_figures_table("protocol", overall, _DIFFERENTIAL_METRICS)],
        *(
            [f"## By {scale}: {SERVED}", *_figures_table("group", groups, MAIN_METRICS)]
            for scale, groups in found.tones[SERVED].items()
        ),
        ["## Beside published figures", *_splits(found)],
        ["## Calibration", *_calibration(found)],
        ["## Chosen for serving", *_chosen(found.choice)],
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _heading(found: Evaluation, manifest: Manifest, seed: int, resamples: int) -> list[str]:
    counts, trained = found.counts, ""
    if counts.judged < counts.cases:
        trained = f"The figures are about the {counts.judged} cases that the encoder was not trained on. "
    warning = ["", "**Generated data: these figures say how the software behaves, nothing about disease.**"]
    return [
        "",
        f"{manifest.dataset}, release {manifest.release}. Encoder {manifest.encoder} {manifest.encoder_version}.",
        *(warning if manifest.synthetic else []),
        "",
        f"{counts.cases} cases, {counts.photos} photos ({counts.different_photos} different), "
        f"{counts.conditions} conditions. "
        f"{trained}{FOLDS} folds of whole cases, seed {seed}; {counts.in_two_folds} cases or photos in two folds. "
        f"Intervals: {LEVEL:.0%}, {resamples} bootstrap resamples of cases. "
        f"“Too few”: fewer than {TOO_FEW} cases, or no condition with {metrics.MIN_CASES}.",
    ]


def _figures_table(head: str, groups: Mapping[str, Mapping[str, Figure]], shown: Sequence[str]) -> list[str]:
    rows = [
        [f"{group} (n = {figures[shown[0]].n})", *(text(figures[metric]) for metric in shown)]
        for group, figures in groups.items()
    ]
    return table([head, *shown], rows)


def _splits(found: Evaluation) -> list[str]:
    rows = [[f"{name}, images split at random", f"{value:.3f} (published)"] for name, value in PUBLISHED.items()]
    for name, split in (("images split at random", found.image_split), ("whole cases", found.case_split)):
        shared = f"{split.cases_on_both_sides} cases on both sides"
        rows.append([f"this index, logistic regression, {name}: {shared}", text(split.macro_auroc)])
    return table(["protocol", f"macro AUROC of the {metrics.COMMONEST} commonest"], rows)


def _calibration(found: Evaluation) -> list[str]:
    before, after = (part.expected_calibration_error for part in (found.before, found.after))
    rows = [
        [f"{float(coverage):.0%}", group, str(sets.coverage.n), text(sets.coverage), text(sets.size, 1)]
        for coverage, groups in found.sets.items()
        for group, sets in groups.items()
    ]
    return [
        "",
        f"Expected calibration error of the first condition: {before:.3f} before calibration, "
        f"{after:.3f} after. Called unlike the index: {found.outliers:.1%} of its own cases.",
        *_disagreement(found.disagreement),
        *table(["stated", "tone group", "n", "coverage", f"conditions in the set, of {found.counts.conditions}"], rows),
    ]


def _disagreement(found: Disagreement | None) -> list[str]:
    if found is None:
        return []
    return [
        f"Head and vote disagree in {found.share:.1%} of the cases. Accuracy of the first condition in them: "
        f"{text(found.accuracy)}; in the others: {text(found.accuracy_of_others)}.",
    ]


def _chosen(choice: Choice) -> list[str]:
    return [
        "",
        f"{choice.method} ({choice.transform.spec.name}): the best mean of top-1 and macro recall on inner folds.",
        *table(["head's weight", "score"], [[f"{weight:g}", f"{s:.3f}"] for weight, s in choice.mixtures.items()]),
        *table(["transform", "best score of a vote"], [[name, f"{s:.3f}"] for name, s in choice.tried.items()]),
    ]


def text(figure: Figure, digits: int = 3) -> str:
    """A figure with its interval, or "too few"."""
    if figure.value is None:
        return "too few"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table, after an empty line."""
    return ["", _row(head), "|" + "---|" * len(head), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plot_accuracy_by_tone(found: Evaluation, note: str) -> Canvas:
    scales = found.tones[SERVED]
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
    canvas.suptitle(f"{SERVED}, held-out folds ({note})")
    return canvas


def _plot_reliability(found: Evaluation, note: str) -> Canvas:
    canvas = Canvas(figsize=(5.5, 5.5), layout="constrained")
    axes = canvas.subplots()
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    _plot_bins(axes, found.before, "before calibration")
    _plot_bins(axes, found.after, "after")
    axes.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="probability of the first condition", ylabel="how often it leads")
    axes.legend()
    axes.set_title(f"Reliability on held-out folds ({note})", fontsize=10)
    return canvas


def _plot_bins(axes: Axes, found: Reliability, name: str) -> None:
    confidence, accuracy, cases = np.array([(bin_.confidence, bin_.accuracy, bin_.n) for bin_ in found.bins]).T
    (line,) = axes.plot(confidence, accuracy, "-", label=f"{name}, error {found.expected_calibration_error:.3f}")
    axes.scatter(confidence, accuracy, s=8 + 200 * cases / cases.sum(), color=line.get_color(), alpha=0.7)


def _plot_confusion(found: Evaluation, note: str) -> Canvas:
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
    axes.set(xlabel="ranked first", ylabel="weighs most for the dermatologists")
    axes.set_title(f"The commonest conditions, held-out folds ({note})", fontsize=10)
    return canvas

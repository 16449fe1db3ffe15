"""The evaluation as JSON, for programs, and as Markdown, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scin.evaluation import metrics
from scin.evaluation.bootstrap import LEVEL, TOO_FEW, Figure
from scin.evaluation.evaluation import FOLDS, PROTOCOLS, Evaluation, Reliability
from scin.evaluation.held_out import VOTE
from scin.evaluation.image_split import PUBLISHED, ImageSplit
from scin.evaluation.selection import Choice
from scin.index.manifest import Manifest

_MAIN = (metrics.TOP_1, metrics.TOP_3, metrics.TOP_5, metrics.NDCG, metrics.RECALL, metrics.AUROC)
_VARIANTS = tuple(f"{kind}-{k}" for kind in ("any", "weight") for k in metrics.CUTS)


def as_json(found: Evaluation, manifest: Manifest, *, seed: int, resamples: int) -> dict[str, Any]:
    """Everything that was measured and chosen, in plain values. A figure of too few cases says so."""
    return {
        "index": _index(manifest),
        "protocol": {
            "folds": FOLDS,
            "seed": seed,
            "resamples": resamples,
            "interval": LEVEL,
            "too_few_below": TOO_FEW,
            "least_cases_of_a_condition": metrics.MIN_CASES,
        },
        "data": {
            "cases": found.cases,
            "photos": found.photos,
            "different_photos": found.pictures,
            "conditions": found.conditions,
            "groups": found.groups,
            "in_two_folds": found.leaks,
        },
        "overall": {protocol: figures_json(found.overall[protocol]) for protocol in PROTOCOLS},
        "by_tone": {
            protocol: {
                scale: {group: figures_json(figures) for group, figures in groups.items()}
                for scale, groups in found.tones[protocol].items()
            }
            for protocol in PROTOCOLS
        },
        "image_split": {
            "images": _split(found.image_split),
            "whole_cases": _split(found.image_split_grouped),
            "published": PUBLISHED,
        },
        "calibration": {
            "before": _reliability(found.before),
            "after": _reliability(found.after),
            "sets": {
                coverage: {
                    group: {"coverage": figure_json(sets.coverage), "size": figure_json(sets.size)}
                    for group, sets in groups.items()
                }
                for coverage, groups in found.sets.items()
            },
            "share_called_outliers": found.outliers,
        },
        "confusion": {"conditions": found.confusion.conditions, "counts": found.confusion.counts.tolist()},
        "chosen": _choice(found.choice),
        "chosen_on_each_fold": [_choice(choice) for choice in found.held_out.choices],
    }


def figures_json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {metric: figure_json(figure) for metric, figure in figures.items()}


def figure_json(figure: Figure) -> dict[str, Any]:
    if figure.value is None:
        return {"n": figure.n, "too_few": True}
    return {"n": figure.n, "value": figure.value, "low": figure.low, "high": figure.high}


def _index(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "dataset": manifest.dataset,
        "release": manifest.release,
        "synthetic": manifest.synthetic,
        "encoder": manifest.encoder,
        "encoder_version": manifest.encoder_version,
        "encoder_fingerprint": manifest.encoder_fingerprint,
        "dimension": manifest.dimension,
        "attribution": dict(manifest.attribution),
    }


def _split(split: ImageSplit) -> dict[str, Any]:
    return {
        "macro_auroc": figure_json(split.macro_auroc),
        "conditions": split.conditions,
        "training_images": split.training_images,
        "tested_images": split.tested_images,
        "cases_on_both_sides": split.shared_cases,
    }


def _reliability(found: Reliability) -> dict[str, Any]:
    bins = [{"confidence": confidence, "accuracy": accuracy, "n": n} for confidence, accuracy, n in found.bins]
    return {"expected_calibration_error": found.error, "bins": bins}


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "transform": choice.transform.steps,
        "neighbours": choice.vote.neighbours,
        "temperature": choice.vote.temperature,
        "score": choice.score,
        "tried": choice.tried,
    }


def as_markdown(found: Evaluation, manifest: Manifest, *, seed: int, resamples: int) -> str:
    """Tables of the same. Values are followed by their 95% interval."""
    sections = [
        [f"# Leaderboard of the index “{manifest.name}”", *_heading(found, manifest, seed, resamples)],
        ["## All cases", *_protocols(found, _MAIN)],
        ["## The whole differential", *_protocols(found, _VARIANTS)],
        *(
            [f"## By {scale}: {VOTE}", *table(["group", *_MAIN], _groups(groups, _MAIN))]
            for scale, groups in found.tones[VOTE].items()
        ),
        ["## Beside published figures", *_splits(found)],
        ["## Calibration", *_calibration(found)],
        ["## Chosen for serving", *_chosen(found)],
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _heading(found: Evaluation, manifest: Manifest, seed: int, resamples: int) -> list[str]:
    warning = ["", "**Generated data: these figures say how the software behaves, nothing about disease.**"]
    return [
        "",
        f"{manifest.dataset}, release {manifest.release}. Encoder {manifest.encoder} {manifest.encoder_version}.",
        *(warning if manifest.synthetic else []),
        "",
        f"{found.cases} cases, {found.photos} photos ({found.pictures} different), {found.conditions} conditions. "
        f"{FOLDS} folds of whole cases, seed {seed}; {found.leaks} cases or photos in two folds. "
        f"Intervals: {LEVEL:.0%}, {resamples} bootstrap resamples of cases. "
        f"“Too few”: fewer than {TOO_FEW} cases, or no condition with {metrics.MIN_CASES}.",
    ]


def _protocols(found: Evaluation, shown: Sequence[str]) -> list[str]:
    return table(["protocol", *shown], _groups({name: found.overall[name] for name in PROTOCOLS}, shown))


def _groups(groups: Mapping[str, Mapping[str, Figure]], shown: Sequence[str]) -> list[list[str]]:
    return [
        [f"{group} (n = {figures[shown[0]].n})", *(text(figures[metric]) for metric in shown)]
        for group, figures in groups.items()
    ]


def _splits(found: Evaluation) -> list[str]:
    rows = [[f"{name}, images split at random", f"{value:.3f} (published)"] for name, value in PUBLISHED.items()]
    for name, split in (("images split at random", found.image_split), ("whole cases", found.image_split_grouped)):
        shared = f"{split.shared_cases} cases on both sides"
        rows.append([f"this index, logistic regression, {name}: {shared}", text(split.macro_auroc)])
    return table(["protocol", f"macro AUROC of the {metrics.COMMONEST} commonest"], rows)


def _calibration(found: Evaluation) -> list[str]:
    rows = [
        [f"{float(coverage):.0%}", group, str(sets.coverage.n), text(sets.coverage), text(sets.size, 1)]
        for coverage, groups in found.sets.items()
        for group, sets in groups.items()
    ]
    return [
        "",
        f"Expected calibration error of the first condition: {found.before.error:.3f} as voted, "
        f"{found.after.error:.3f} calibrated. Called unlike the index: {found.outliers:.1%} of its own cases.",
        *table(["stated", "tone group", "n", "coverage", f"conditions in the set, of {found.conditions}"], rows),
    ]


def _chosen(found: Evaluation) -> list[str]:
    choice = found.choice
    rows = [[name, f"{score:.3f}"] for name, score in choice.tried.items()]
    return [
        "",
        f"{choice.transform.spec.name}, {choice.vote.neighbours} neighbours, temperature {choice.vote.temperature:g}: "
        "the best mean of top-1 and macro recall on inner folds.",
        *table(["transform", "its best score"], rows),
    ]


def text(figure: Figure, digits: int = 3) -> str:
    if figure.value is None:
        return "too few"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["", _row(head), "|" + "---|" * len(head)]
    return lines + [_row(row) for row in rows]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

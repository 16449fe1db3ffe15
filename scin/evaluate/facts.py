"""The facts of an evaluation as JSON for programs: ``leaderboard.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scin.evaluate import metrics
from scin.evaluate.fit import Choice
from scin.evaluate.held_out import Recognition, mistakes
from scin.evaluate.leaderboard import CALIBRATED, FOLDS, PUBLISHED, Evaluation
from scin.evaluate.metrics import LEVEL, TOO_FEW, Figure
from scin.index.cases import CASES_TABLE
from scin.index.manifest import Manifest

JSON_FILE = "leaderboard.json"
#: fields of the manifest that say what was evaluated
_INDEX_FACTS = (
    "name",
    "dataset",
    "release",
    "synthetic",
    "encoder",
    "encoder_version",
    "encoder_fingerprint",
    "dimension",
    "licence",
    "attribution",
)


def index_facts(manifest: Manifest) -> dict[str, Any]:
    """What identifies the evaluated index: its origin, its encoder and the sha256 of its cases."""
    return {name: getattr(manifest, name) for name in _INDEX_FACTS} | {"cases_sha256": manifest.files[CASES_TABLE]}


def facts(found: Evaluation, manifest: Manifest, seed: int, resamples: int) -> dict[str, Any]:
    """Everything that ``leaderboard.json`` holds."""
    return {
        "index": index_facts(manifest),
        "protocol": {
            "folds": FOLDS,
            "seed": seed,
            "resamples": resamples,
            "interval": LEVEL,
            "too_few_below": TOO_FEW,
            "least_cases_of_a_condition": metrics.MIN_CASES,
        },
        "data": found.counts,
        "served": CALIBRATED,
        "overall": found.overall,
        "by_tone": found.tones,
        "image_split": {"images": found.image_split, "whole_cases": found.case_split, "published": PUBLISHED},
        "calibration": {
            "before": found.before,
            "after": found.after,
            "sets": found.sets,
            "share_called_outliers": found.outliers,
            "disagreement": found.disagreement,
        },
        "conditions": {one.name: _recognition(one) for one in found.conditions},
        "confusion": found.confusion,
        "mistakes": mistakes(found.answers),
        "chosen": _choice(found.choice),
        "chosen_on_each_fold": [_choice(choice) for choice in found.choices],
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "method": choice.method,
        "transform": choice.transform.steps,
        **vars(choice.vote),
        "head": choice.head._asdict(),
        "head_weight": choice.head_weight,
        "score": choice.score,
        "tried": choice.tried,
        "mixtures": {f"{weight:g}": score for weight, score in choice.mixtures.items()},
    }


def _recognition(found: Recognition) -> dict[str, Any]:
    return {
        "n": found.n,
        "first": found.first,
        "first_three": found.first_three,
        metrics.TOP_1: found.top_1,
        metrics.TOP_3: found.top_3,
        "mistakes": {mistake.answer: mistake.cases for mistake in found.mistakes},
    }


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write facts that may hold dataclasses and arrays; a ``Figure`` without a value says that it had too few cases."""
    text = json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Figure) and value.value is None:
        return {"n": value.n, "too_few": True}
    return vars(value)

"""What an index answered to other people's labelled photos, as JSON and Markdown."""

from __future__ import annotations

from typing import Any

from scin.evaluation import metrics
from scin.evaluation.queries import Answered
from scin.evaluation.report import figures_json, table, text
from scin.index.manifest import Manifest

_SHOWN = (metrics.TOP_1, metrics.TOP_3, metrics.TOP_5, metrics.NDCG, metrics.RECALL, metrics.AUROC)


def answered_json(found: Answered, manifest: Manifest) -> dict[str, Any]:
    return {
        "index": manifest.name,
        "synthetic": manifest.synthetic,
        "transform": manifest.transforms,
        "neighbours": manifest.vote.neighbours,
        "temperature": manifest.vote.temperature,
        "cases": found.cases,
        "figures": figures_json(found.figures),
        "by_condition": {name: {"n": n, "top-1 hits": hits} for name, (n, hits) in found.by_condition.items()},
        "photos_skipped": dict(found.skipped),
        "cases_with_unknown_labels": dict(found.unknown),
    }


def answered_markdown(found: Answered, manifest: Manifest) -> str:
    left_out = [f"{count} photos ({reason})" for reason, count in found.skipped.items()]
    left_out += [f"{count} cases of “{label}”, which the index does not know" for label, count in found.unknown.items()]
    rows = [[name, str(n), f"{hits / n:.3f}"] for name, (n, hits) in found.by_condition.items()]
    lines = [
        f"# Labelled photos put to the index “{manifest.name}”",
        "",
        f"{found.cases} cases. {manifest.transforms[0]}, {manifest.vote.neighbours} neighbours, temperature "
        f"{manifest.vote.temperature:g}. Left out: {', '.join(left_out) or 'none'}.",
        *table(["metric", "value [95% interval]"], [[metric, text(found.figures[metric])] for metric in _SHOWN]),
        *table(["condition", "n", "top-1"], rows),
    ]
    return "\n".join(lines) + "\n"

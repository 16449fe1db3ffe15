"""Writes a training's result: the report, and, if it was adopted, the encoder's folder (see ml.models.trained)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ml.models.golden import golden_image
from ml.models.loading import load_encoder
from ml.models.spec import ModelSpec
from ml.models.store import MANIFEST_FILE, ModelManifest
from ml.models.trained import CARD_FILE, HELD_OUT_HEADING, REPORT_FILE, SEEN_FILE, SERVED_FILE, write_spec
from ml.training.encoder_network import Photos
from ml.training.export import export_network
from ml.values import Vectors
from scin.train.adoption import Comparison
from scin.train.photos import TrainError
from storage.base import sha256_file

#: largest difference of a number of an embedding between the exported program and the trained network
_AGREES = 1e-4


@dataclass(frozen=True)
class Facts:
    """What the report and the card say. ``credit``: the dataset's attribution. ``key``: see scin.train.work.
    ``parts``: name → cases. ``history``: see ml.training.encoder. ``resumed``: how often the training went on after it
    was stopped. ``seconds``: of all runs. ``skipped``: reason → photos."""

    credit: Mapping[str, str]
    key: Mapping[str, object]
    parts: Mapping[str, int]
    photos: int
    history: Mapping[str, Any]
    resumed: int
    seconds: int
    skipped: Mapping[str, int]
    comparison: Comparison


def write_report(folder: Path, facts: Facts) -> None:
    """Write training.json."""
    found = facts.comparison
    report = {
        "adopted": found.adopted,
        "verdict": found.verdict,
        "dataset": dict(facts.credit),
        "training": dict(facts.key),
        "cases": dict(facts.parts),
        "photos": facts.photos,
        "skipped": dict(facts.skipped),
        **facts.history,
        "resumed": facts.resumed,
        "seconds": facts.seconds,
        "comparison": _named(found),
    }
    (folder / REPORT_FILE).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_encoder(
    folder: Path,
    base: ModelSpec,
    module: Any,
    facts: Facts,
    seen: Mapping[str, Sequence[str]],
) -> ModelSpec:
    """Write all files of the encoder but the report. ``module``: the trained network. ``seen``: the ids of the cases
    that it was trained on or stopped by, and the digests of their photos."""
    spec = replace(
        base,
        name=f"{base.name}-tuned",
        source=None,
        card=None,
        licence=f"weights trained on photos under: {facts.credit['licence']}; network: {base.licence}",
    )
    golden = export_network(module, spec, folder, golden_image())
    spec = replace(spec, version=sha256_file(folder / SERVED_FILE)[:12])
    write_spec(spec, folder)
    (folder / SEEN_FILE).write_text(json.dumps(seen) + "\n", encoding="utf-8")
    (folder / CARD_FILE).write_text(card(spec, facts), encoding="utf-8")
    files = {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.name != REPORT_FILE}
    manifest = ModelManifest(
        name=spec.name,
        version=spec.version,
        framework=spec.framework,
        licence=spec.licence,
        source=str(facts.credit.get("dataset", facts.key["source"])),
        fingerprint=spec.fingerprint({spec.served: files[spec.served]}),
        fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        files=files,
        golden=[float(value) for value in golden],
    )
    (folder / MANIFEST_FILE).write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    return spec


def check_agrees(models_dir: Path, folder: Path, photos: Photos, expected: Vectors) -> None:
    """Raise TrainError unless the written encoder gives the ``expected`` embeddings (n, 512) of ``photos``."""
    found = load_encoder(models_dir, str(folder), threads=1).embed(list(photos))
    difference = float(np.abs(found - expected).max())
    if difference > _AGREES:
        raise TrainError(f"The exported program differs from the trained network by {difference:.1e}: it is not kept.")


def card(spec: ModelSpec, facts: Facts) -> str:
    """The model card in Markdown."""
    found, credit, history = facts.comparison, facts.credit, facts.history
    tones = [
        f"| {name} | {tone.cases} | {tone.frozen:.3f} | {tone.tuned:.3f} | {tone.gain} |"
        for name, tone in found.by_tone.items()
    ]
    return "\n".join(
        [
            f"# {spec.name} {spec.version}",
            "",
            "An image encoder: efficientnet-lite0, trained further on the photos of one dataset by "
            "`python -m scin train`. It finds similar cases. It does not diagnose.",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {_cell(value)} |" for name, value in credit.items()),
            f"| cases learnt | {facts.parts['learnt']} |",
            f"| cases that stopped the training | {facts.parts['inner']} |",
            f"| cases held out | {facts.parts['held_out']} |",
            f"| photos | {facts.photos} |",
            f"| epochs | {len(history['scores'])} of {history['epochs']}; number {history['best'] + 1} was kept |",
            f"| licence of the weights | {_cell(spec.licence)} |",
            "",
            HELD_OUT_HEADING,
            "",
            f"{found.cases} cases of {found.groups} patients or sources. They were used for nothing else. Intervals "
            "are 95%, from a bootstrap over patients.",
            "",
            "| encoder | answers by | top-1 accuracy | macro recall |",
            "|---|---|---|---|",
            f"| before | {found.frozen.method} | {found.frozen.top_1} | {found.frozen.macro_recall} |",
            f"| after | {found.tuned.method} | {found.tuned.top_1} | {found.tuned.macro_recall} |",
            f"| gain | | {found.top_1_gain} | {found.macro_recall_gain} |",
            "",
            *(
                ["| skin tone | cases | top-1 before | top-1 after | gain |", "|---|---|---|---|---|", *tones, ""]
                if tones
                else ["The dataset records too few skin tones to compare groups.", ""]
            ),
            "## What it was never shown",
            "",
            f"Photos that are not in this dataset: other cameras, other kinds of photo, other conditions than its "
            f"{facts.parts['conditions']}, and skin tones that it lacks. For these it may be worse than the "
            "encoder that it was trained from.",
            "",
        ]
    )


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _named(found: Comparison) -> dict[str, Any]:
    facts = asdict(found)
    for name in ("top_1_gain", "macro_recall_gain", "gain"):
        facts[name] = getattr(found, name)._asdict()
    for name in ("frozen", "tuned"):
        of = getattr(found, name)
        facts[name] = {
            "top_1": of.top_1._asdict(),
            "macro_recall": of.macro_recall._asdict(),
            "answered_by": of.method,
        }
    facts["by_tone"] = {
        name: {"cases": tone.cases, "frozen": tone.frozen, "tuned": tone.tuned, "gain": tone.gain._asdict()}
        for name, tone in found.by_tone.items()
    }
    return facts

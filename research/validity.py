"""``python -m research.validity``: write docs/validity.md, which says how each answer was checked on real photos.

It reads only files of the repository: the catalogue of measures, ml/skin/params/repeatability.json, and the JSON files
of facts that the fits of models wrote. A fit's ``figures`` map a name to ``value``, ``interval`` (95%), ``n``, ``data``
and ``command``. A file without figures is shown with its model card.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.skin.catalogue import CATALOGUE
from ml.skin.declaration import Evidence, Measure
from research.shares import wilson

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "validity.md"
REPEATABILITY = "ml/skin/params/repeatability.json"
LEAST_ICC = 0.4  #: of a measure in every answer
LEAST_N = 15  #: fewer pairs or photos are too few for a figure
_TYPES = range(1, 7)


@dataclass(frozen=True)
class Answer:
    """An answer of a model: its title, the file of facts that its fit wrote, and its card in docs/."""

    title: str
    facts: str
    card: str


ANSWERS = (
    Answer("Kind of photo", "ml/analysis/photo_kind.json", "models/photo-kind.md"),
    Answer("Outline of a lesion", "ml/skin/params/outline.json", "models/outline.md"),
    Answer("Phone photo of a lesion", "ml/models/phone_lesions.json", "models/phone-lesions.md"),
    Answer("Dermatoscopic photo of a lesion", "ml/models/sklesion.json", "models/sklesion.md"),
    Answer("Skin tone", "ml/skin/params/tone.json", "methods/tone.md"),
    Answer("Spots", "ml/skin/params/spots.json", "methods/lesion-and-face.md"),
)


def main() -> int:
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(REPOSITORY)}")
    return 0


def page() -> str:
    """docs/validity.md."""
    repeated = _read(REPEATABILITY)
    parts = [
        ["# How the answers were checked on real photos", "", "Made by `python -m research.validity`.", ""],
        _measures(repeated["fitted"]),
        _by_type(repeated["measures"]),
        _models(),
    ]
    return "\n".join(line for part in parts for line in part)


def _measures(fitted: Mapping[str, str]) -> Iterator[str]:
    yield from (
        "## Measures: two photos of the same skin",
        "",
        f"Data: {fitted['data']}. Command: `{fitted['command']}` ({fitted['date']}).",
        "",
        "- **ICC** is the share of the variance between photos that belongs to the skin, not to light, camera and "
        "framing (one-way random effects, bootstrap interval over lesions).",
        "- **Holds** is the share of pairs whose difference lies within the stated uncertainties, √(u₁² + u₂²), with "
        "limits fitted to other patients' photos (Wilson interval).",
        f"- Outside of faces, a measure is in every answer only where its ICC is at least {_decimal(LEAST_ICC)}, or if "
        "it follows from the photo's stated scale.",
        "- On faces there are too few pairs for an ICC, so nothing here shows that those measures repeat. The "
        "uncertainty there is the largest of those that hold "
        "for the skin around lesions, for the portraits' pairs, and for portraits in simulated lights and cameras.",
        "",
        "| measure | region | in every answer | pairs | ICC | holds |",
        "|---|---|---|---|---|---|",
    )
    rows = [(name, measure, kind) for name, measure in CATALOGUE.items() for kind in measure.regions]
    for name, measure, kind in sorted(rows, key=lambda row: row[2] not in row[1].standard_regions):
        standard = "yes" if kind in measure.standard_regions else "no"
        yield f"| `{name}` | {kind} | {standard} | {_evidence(measure, measure.evidence[kind])} |"
    yield ""


def _evidence(measure: Measure, evidence: Evidence | None) -> str:
    """The cells of pairs, ICC and coverage."""
    if evidence is None:
        return "none | not evaluated | not evaluated"
    holds = "too few" if evidence.coverage is None else _figure(evidence.coverage, evidence.coverage_interval)
    if measure.needs_scale:
        return f"{evidence.n} drawn outlines | needs none | {holds}"
    icc = "too few" if evidence.icc is None else _figure(evidence.icc, evidence.icc_interval)
    return f"{evidence.n} | {icc} | {holds}"


def _by_type(measures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    held: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for name, measure in CATALOGUE.items():
        for kind in measure.standard_regions:
            if "held_by_type" in (facts := measures.get(name, {}).get(kind, {})):
                held[f"`{name}` ({kind})"] = facts["held_by_type"]
    yield from (
        "## Measures by recorded Fitzpatrick type",
        "",
        "The share of pairs of photos of a lesion within the stated uncertainty, with the number of pairs, by the type "
        f"that was recorded of the person. Under {LEAST_N} pairs are too few. No pair is of type 5 or 6."
        if not any(hits.get(str(kind)) for hits in held.values() for kind in (5, 6))
        else "",
        "",
        "| measure | " + " | ".join(f"type {kind}" for kind in _TYPES) + " |",
        "|---" * (1 + len(_TYPES)) + "|",
    )
    for text, hits in held.items():
        yield f"| {text} | " + " | ".join(_share(hits.get(str(kind), (0, 0))) for kind in _TYPES) + " |"
    yield ""


def _share(hits: Sequence[int]) -> str:
    some, n = hits
    if not n:
        return "none"
    return f"{_figure(some / n, wilson(some, n))}, n = {n}" if n >= LEAST_N else f"too few ({some} of {n})"


def _models() -> Iterator[str]:
    yield from ("## Models", "", "| answer | figure | value | n | data | command |", "|---|---|---|---|---|---|")
    for answer in ANSWERS:
        title = f"[{answer.title}]({answer.card})"
        if not (REPOSITORY / answer.facts).exists():
            yield f"| {answer.title} | not evaluated | | | | |"
            continue
        facts = _read(answer.facts)
        figures = figures_of(facts)
        if not figures:
            fitted = facts.get("fitted", {})
            yield f"| {title} | see its card | | | {fitted.get('data', '')} | {fitted.get('command', '')} |"
        for name, figure in figures.items():
            few = isinstance(figure["n"], int) and figure["n"] < LEAST_N
            value = "too few" if few else _figure(figure["value"], figure.get("interval"))
            cells = title, name.replace("_", " "), value, figure["n"], figure["data"], f"`{figure['command']}`"
            yield "| " + " | ".join(str(cell) for cell in cells) + " |"
            title = ""
    yield ""


def figures_of(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """name → figure. Those of outlines are rows, one for each kind of photo. Those of the tone are shares of persons,
    in the sections of its facts."""
    figures = facts.get("figures", {})
    if isinstance(figures, list):
        fitted = facts["fitted"]
        shared = {"data": fitted.get("data", "PAD-UFES-20, ISIC 2017; patients apart"), "command": fitted["command"]}
        return {
            f"IoU with drawn outlines, median: {row['photos']}": {"value": row["iou"], **row, **shared}
            for row in figures
            if row["iou"] is not None
        }
    found = dict(figures)
    for section in facts.values():
        held = section.get("held_out", {}) if isinstance(section, dict) else {}
        for name, figure in held.items():
            if isinstance(figure, dict) and "share" in figure:
                n = figure.get("persons", held.get("photos"))
                shared = {"data": section["data"], "command": section["command"]}
                found[name] = {"value": figure["share"], "interval": figure["interval"], "n": n, **shared}
    return found


def _read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPOSITORY / path).read_text(encoding="utf-8"))
    return found


def _figure(value: float | str, interval: Iterable[float] | None) -> str:
    if isinstance(value, str):
        return value
    return _decimal(value) + (" [" + ", ".join(map(_decimal, interval)) + "]" if interval else "")


def _decimal(value: float) -> str:
    if abs(value) >= 10:
        return f"{value:.3g}"
    return f"{value:.3f}" if 0 < abs(value) < 0.05 else f"{round(value, 2) + 0.0:.2f}"


if __name__ == "__main__":
    sys.exit(main())

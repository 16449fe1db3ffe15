"""``python -m research.validity``: write docs/validity.md, which says how each answer was checked on real photos.

It reads only files of the repository: the catalogue of measures, ml/skin/params/repeatability.json, and the JSON files
of facts that the fits of models wrote. A fit's ``figures`` map a name to ``value``, ``interval`` (95%), ``n``, ``data``
and ``command``. A file without figures is shown with its model card.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.skin.catalogue import CATALOGUE
from ml.skin.declaration import Evidence, Measure
from ml.training.statistics import wilson

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "validity.md"
REPEATABILITY = "ml/skin/params/repeatability.json"
LEAST_ICC = 0.4  #: of a measure in every answer
LEAST_N = 15  #: fewer pairs or photos are too few for a figure
_TYPES = range(1, 7)
_WIDTH = 130  #: longest line of the page, apart from tables
#: folder of photos → the data set that it is a part of
_DATA = {
    "ham": "HAM10000",
    "isic": "ISIC 2018",
    "isic2017": "ISIC 2017",
    "pad": "PAD-UFES-20",
    **dict.fromkeys(("clinical_kind", "clinical", "clinical_more"), "DermNet NZ"),
}
#: name of a figure of the tone → what it is
_OF_TONE = {
    "coverage": "range holds the group of another photo of the person",
    "same_lesion": "… of the same lesion",
    "other_lesion": "… of another lesion",
    "whole_scale": "photos whose range is all three groups",
}


@dataclass(frozen=True)
class Answer:
    """An answer of a model: its title, the file of facts that its fit wrote, and its card in docs/."""

    title: str
    facts: str
    card: str


ANSWERS = (
    Answer("Kind of photo", "ml/models/photo_kind.json", "models/photo-kind.md"),
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
        *_wrapped(f"Data: {fitted['data']} ({fitted['date']}). All intervals on this page are 95%. Command:"),
        "",
        f"    {fitted['command']}",
        "",
        *_point(
            "**ICC** is the share of the variance between photos that belongs to the skin, not to light, camera and "
            "framing (one-way random effects, bootstrap interval over lesions)."
        ),
        *_point(
            "**Holds** is the share of pairs whose difference is at most √(u₁² + u₂²), where u₁ and u₂ are the stated "
            "uncertainties. Their limits are fitted to other patients' photos (Wilson interval)."
        ),
        *_point(
            "Except on faces, every answer has only measures with an ICC of at least "
            f"{_decimal(LEAST_ICC)}. `lesion_diameter_mm` needs none, because it follows from the stated scale; "
            "without a scale it is left out. It was compared with drawn outlines of the same photos instead."
        ),
        *_point(
            "On faces there are too few pairs for an ICC, so nothing here shows that those measures repeat. The limit "
            "of their uncertainty is the largest of three: the limit for the same measure of skin around lesions, that "
            "for pairs of portraits, and 1.5 times that for portraits in simulated lights and cameras."
        ),
        "",
        "| measure | region | in every answer | pairs | ICC | holds |",
        "|---|---|---|---|---|---|",
    )
    rows = [(name, measure, kind) for name, measure in CATALOGUE.items() for kind in measure.regions]
    for name, measure, kind in sorted(rows, key=lambda row: row[2] not in row[1].standard_regions):
        standard = "no" if kind not in measure.standard_regions else "with a scale" if measure.needs_scale else "yes"
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
    darkest = any(hits.get(str(kind)) for hits in held.values() for kind in (5, 6))
    yield from (
        "## Measures by recorded Fitzpatrick type",
        "",
        *_wrapped(
            "The share of pairs of photos of a lesion whose difference the uncertainty holds, by the type that was "
            f"recorded of the person. Fewer than {LEAST_N} pairs are too few."
            + ("" if darkest else " No pair is of type 5 or 6.")
        ),
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
    yield from (
        "## Models",
        "",
        *_wrapped(
            f"An empty cell repeats the one above. Fewer than {LEAST_N} photos are too few here; the cards have those "
            "figures too, with n."
        ),
        "",
        "| answer | figure | value | n | data | command |",
        "|---|---|---|---|---|---|",
    )
    for answer in ANSWERS:
        above = ("", "")
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
            source = _of_folders(figure["data"]), f"`{figure['command']}`"
            shown = ["" if cell == other else cell for cell, other in zip(source, above, strict=True)]
            cells = title, _words(name), value, figure["n"], *shown
            yield "| " + " | ".join(str(cell) for cell in cells) + " |"
            title, above = "", source
    yield ""


def _words(name: str) -> str:
    """``name`` of a figure, as it is shown."""
    words = re.sub("_(bare|default|thorough)", r", \1", name).replace("_seen", ", photos of the training data")
    return words.replace("_", " ").replace(" auc", " AUC").replace("skin type", "Fitzpatrick type")


def _of_folders(data: str) -> str:
    """``data``; if it lists folders, the data sets that these are a part of."""
    names = data.split(", ")
    return ", ".join(dict.fromkeys(_DATA[name] for name in names)) if set(names) <= set(_DATA) else data


def figures_of(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """name → figure. Those of outlines are rows, one for each kind of photo. Those of the tone are shares of persons,
    in the sections of its facts."""
    figures = facts.get("figures", {})
    if isinstance(figures, list):
        fitted = facts["fitted"]
        shared = {"data": fitted.get("data", "PAD-UFES-20, ISIC 2017; patients apart"), "command": fitted["command"]}
        return {
            f"IoU with drawn outlines, median: {_DATA.get(kind := row['photos'], kind)}": {
                "value": row["iou"],
                **row,
                **shared,
            }
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
                found[_OF_TONE.get(name, name)] = {
                    "value": figure["share"],
                    "interval": figure["interval"],
                    "n": n,
                    **shared,
                }
    return found


def _wrapped(text: str, first: str = "", other: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False
    )


def _point(text: str) -> list[str]:
    """A point of a list."""
    return _wrapped(text, "- ", "  ")


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
    if 0 < abs(value) < 0.1:
        return f"{value:.3f}".removesuffix("0")
    return f"{round(value, 2) + 0.0:.2f}"


if __name__ == "__main__":
    sys.exit(main())

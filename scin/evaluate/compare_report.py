"""The report of a comparison of two evaluations: what its figures say, and the files that hold it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scin.evaluate import metrics
from scin.evaluate.compare import COVERAGE, METRICS, SET_SIZE, Comparison, Difference, Differences, Evaluated, Paired
from scin.evaluate.document import Report, Row, Section, Table, figure_cell, html, markdown, table
from scin.evaluate.facts import write_json
from scin.evaluate.metrics import LEVEL, TOO_FEW
from scin.evaluate.report import GENERATED

JSON_FILE, MARKDOWN_FILE, PAGE_FILE = "compare.json", "compare.md", "compare.html"
_BY_TONE = (metrics.TOP_1, metrics.TOP_3, metrics.RECALL, COVERAGE)
_LISTED = 10
_COLUMNS = ("first", "second", "difference", "verdict")


def write_comparison(found: Comparison, out: Path, *, seed: int, resamples: int) -> str:
    """Write the report to the folder ``out``, and return its first part as Markdown: the result in short.

    ``seed`` and ``resamples`` are those of the bootstrap. The same comparison gives the same bytes.
    """
    report = comparison(found, seed=seed, resamples=resamples)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / JSON_FILE, _facts(found))
    (out / MARKDOWN_FILE).write_text(markdown(report), encoding="utf-8")
    (out / PAGE_FILE).write_text(html(report), encoding="utf-8")
    return markdown(report, sections=1)


def _facts(found: Comparison) -> dict[str, Any]:
    sides = {
        name: {"index": side.index, "judged": len(side.answers), "figures": own}
        for name, side, own in zip(("first", "second"), (found.first, found.second), found.own, strict=True)
    }
    return {**sides, "paired": found.paired, "not_paired_because": found.unpaired or None}


def comparison(found: Comparison, *, seed: int, resamples: int) -> Report:
    """The report. If the same cases can be compared, their figures come first."""
    compared, own = _compared(found, seed, resamples), _own(found)
    sections = (own, compared) if found.paired is None else (*_paired(found.paired, compared), own)
    generated = any(side.index["synthetic"] for side in (found.first, found.second))
    return Report(
        title=f"“{found.first.index['name']}” and “{found.second.index['name']}” compared",
        lead=_lead(found),
        warning=GENERATED if generated else "",
        sections=sections,
    )


def _lead(found: Comparison) -> str:
    if found.paired is None:
        return f"These figures are not paired, so a difference can come from the cases alone. {found.unpaired}"
    said = [_say(metric, found.paired.overall[metric]) for metric in (metrics.TOP_1, metrics.RECALL)]
    return (
        f"First: “{found.first.index['name']}”. Second: “{found.second.index['name']}”. "
        f"On the {found.paired.cases:,} cases that both judged, {'; '.join(filter(None, said))}."
    )


def _say(metric: str, values: Difference) -> str:
    if values.difference.value is None:
        return ""
    cell = figure_cell(values.difference, signed=True)
    first, second = (figure_cell(one).value for one in (values.first, values.second))
    return f"{metric} is {first} with the first and {second} with the second: {cell}, {_verdict(metric, values)}"


def _compared(found: Comparison, seed: int, resamples: int) -> Section:
    sides = (found.first, found.second)
    rows: list[Row] = [
        ["index", *(str(side.index["name"]) for side in sides)],
        ["dataset", *(f"{side.index['dataset']}, release {side.index['release']}" for side in sides)],
        ["licence", *(str(side.index["licence"]) for side in sides)],
        ["encoder", *(_encoder(side) for side in sides)],
        ["answers by", *(side.method for side in sides)],
        ["judged cases", *(f"{len(side.answers):,}" for side in sides)],
        ["labelled cases that each answer can use, about", *(f"{side.searched:,.0f}" for side in sides)],
    ]
    text = (
        "Each case was answered without the cases of its group (photos or patient), and none was seen by its encoder. "
        f"Intervals: {LEVEL:.0%}, {resamples:,} bootstrap resamples of groups, seed {seed}. "
        f"“Too few”: fewer than {TOO_FEW} cases."
    )
    return Section("What was compared", (text,), (table(["fact", "first", "second"], rows),))


def _encoder(side: Evaluated) -> str:
    index = side.index
    return f"{index['encoder']} {index['encoder_version']} ({index['encoder_fingerprint'][:8]})"


def _paired(found: Paired, compared: Section) -> list[Section]:
    text = (
        f"{found.cases:,} cases in {found.groups:,} groups. The difference is the second minus the first. Both answer "
        "the same cases, so the difference is more certain than the two figures are. “Better” and “worse”: its "
        "interval does not hold 0."
    )
    rows = [_row(metric, values) for metric, values in found.overall.items()]
    tones = tuple(_tone_table(scale, groups) for scale, groups in found.tones.items() if groups)
    of_tones = "The second minus the first, on the same cases." if tones else "No case states a skin tone."
    return [
        Section("The same cases", (text,), (table(["figure", *_COLUMNS], rows),)),
        compared,
        Section("By skin tone", (of_tones,), tones),
        _conditions(found),
    ]


def _row(metric: str, values: Difference) -> Row:
    digits = _digits(metric)
    cells = [figure_cell(values.first, digits), figure_cell(values.second, digits)]
    return [metric, *cells, figure_cell(values.difference, digits, signed=True), _verdict(metric, values)]


def _verdict(metric: str, values: Difference) -> str:
    """What the interval of the difference says; "" where neither more nor less is better."""
    difference = values.difference
    if difference.low is None or difference.high is None or not METRICS[metric]:
        return ""
    if difference.low <= 0 <= difference.high:
        return "no clear difference"
    return "better" if (difference.low > 0) == (METRICS[metric] > 0) else "worse"


def _tone_table(scale: str, groups: Mapping[str, Differences]) -> Table:
    rows: list[Row] = [
        [
            group,
            f"{values[metrics.TOP_1].difference.n:,}",
            *(figure_cell(values[metric].difference, signed=True) for metric in _BY_TONE),
        ]
        for group, values in groups.items()
    ]
    return table(["group", "n", *_BY_TONE], rows, f"{scale}:")


def _conditions(found: Paired) -> Section:
    gained = [one for one in found.conditions if (one.top_1.difference.value or 0.0) > 0][:_LISTED]
    lost = [one for one in found.conditions[::-1] if (one.top_1.difference.value or 0.0) < 0][:_LISTED]
    tables = []
    for note, shown in (("Gained most:", gained), ("Lost most:", lost)):
        rows: list[Row] = [[one.name, str(one.n), *_row(metrics.TOP_1, one.top_1)[1:]] for one in shown]
        if rows:
            tables.append(table(["condition", "n", *_COLUMNS], rows, note))
    text = (
        f"Recall of the {len(found.conditions)} conditions that lead in at least {TOO_FEW} of these cases; the others "
        "have too few. Of many conditions, about one in twenty seems to differ by chance."
    )
    return Section("Conditions that gained and lost", (text,), tuple(tables))


def _own(found: Comparison) -> Section:
    rows: list[Row] = [
        [metric, *(figure_cell(own[metric], _digits(metric)) for own in found.own)] for metric in METRICS
    ]
    text = "Each on all cases that it judged. Where these are different cases, compare with care."
    sizes = (f"first (n = {len(found.first.answers):,})", f"second (n = {len(found.second.answers):,})")
    return Section("Each on its own cases", (text,), (table(["figure", *sizes], rows),))


def _digits(metric: str) -> int:
    return 2 if metric == SET_SIZE else 3  # the size counts conditions, the others are shares

"""An answer for people: what was decided first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_DECISIONS = {"answer": "green", "set": "yellow", "abstain": "yellow"}
_REASONS = {
    "synthetic_index": "the service runs on generated skin: no disease is named from it",
    "unusable_photo": "nothing can be seen on this photo",
    "no_colours": "the photo's colours say nothing of the skin",
    "modality_conflict": "the photo is not of the kind that was stated",
    "not_calibrated": "how often its answers are right has not been measured for this index",
    "cosmetic_mode": "the service names no disease",
    "not_skin": "this is not a photo of skin",
}
_MOST_MEASUREMENTS = 24

Answer = Mapping[str, Any]


def render(name: str, answer: Answer) -> RenderableType:
    """Everything an answer says, for a terminal. Parts that are missing are left out."""
    return Panel(Group(*_parts(answer)), title=Text(name, style="bold"), title_align="left", padding=(1, 2))


def _parts(answer: Answer) -> Iterator[RenderableType]:
    yield _decision(answer)
    yield from _quality(answer.get("quality") or {})
    yield from _tone((answer.get("skin") or {}).get("tone"))
    yield from _conditions(answer.get("conditions") or [])
    yield from _lesion(answer.get("lesion"))
    yield from _similar(answer.get("similar_cases") or [])
    yield from _measurements((answer.get("skin") or {}).get("measurements") or [])
    for note in answer.get("notes") or []:
        yield Text(f"\n{note}", style="dim")
    yield Text(f"\n{answer.get('disclaimer', '')}", style="italic")


def _decision(answer: Answer) -> Text:
    decision = answer.get("decision") or {}
    kind = str(decision.get("kind", "abstain"))
    text = Text()
    if answer.get("mock"):
        text.append("MOCK: nothing here was measured. ", style="bold red")
    text.append({"answer": "Answer", "set": "One of these", "abstain": "No verdict"}.get(kind, kind), style="bold")
    text.stylize(_DECISIONS.get(kind, ""))
    if decision.get("set"):
        text.append(": " + ", ".join(decision["set"]))
    if decision.get("coverage") is not None:
        text.append(f" (right in {decision['coverage']:.0%} of cases)")
    for reason in decision.get("reasons") or []:
        text.append(f"\n  {_REASONS.get(reason, reason)}")
    modality = (answer.get("modality") or {}).get("label")
    return text.append(f"\n  kind of photo: {modality.replace('_', '-')}") if modality else text


def _quality(quality: Answer) -> Iterator[RenderableType]:
    for problem in quality.get("problems") or []:
        yield Text.assemble(("\n⚠ ", "yellow"), problem["message"], " ", (problem["advice"], "cyan"))


def _tone(tone: Answer | None) -> Iterator[RenderableType]:
    if tone:
        yield _heading("Skin tone")
        yield Text(
            f"  ITA {_number(tone.get('ita_deg'))}° ({tone.get('ita_category')}), Fitzpatrick about "
            f"{tone.get('fitzpatrick_estimate')}, Monk about {tone.get('monk_estimate')}"
        )


def _conditions(conditions: list[Answer]) -> Iterator[RenderableType]:
    if conditions:
        yield _heading("Conditions of similar cases")
        yield _bars([(one["name"], one.get("icd_10"), one.get("probability"), one.get("band")) for one in conditions])


def _lesion(lesion: Answer | None) -> Iterator[RenderableType]:
    if lesion:
        yield _heading(f"Lesion classes ({lesion.get('model')})")
        ranked = sorted(lesion.get("predictions") or [], key=lambda one: -(one.get("probability") or 0))
        yield _bars([(one["name"], one.get("icd_10"), one.get("probability"), "") for one in ranked])
        yield Text(f"  {lesion.get('caveat', '')}", style="dim")


def _similar(cases: list[Answer]) -> Iterator[RenderableType]:
    if cases:
        table = _table("similarity", "case", "dermatologists' differential")
        for case in cases:
            weights = sorted((case.get("differential") or {}).items(), key=lambda pair: -(pair[1] or 0))
            differential = ", ".join(f"{name} {weight:.0%}" for name, weight in weights[:3] if weight is not None)
            marked = " (generated)" if case.get("demonstration") else ""
            table.add_row(_number(case.get("similarity"), 3), f"{case['case_id']}{marked}", differential)
        yield _heading("Similar cases")
        yield table


def _measurements(measurements: list[Answer]) -> Iterator[RenderableType]:
    if measurements:
        table = _table("measurement", "value", "±", "region", "percentile")
        for one in measurements[:_MOST_MEASUREMENTS]:
            value = f"{_number(one.get('value'))} {one.get('unit') or ''}".strip()
            spread, score = _number(one.get("uncertainty")), _number(one.get("score"), 0)
            table.add_row(one["name"].replace("_", " "), value, spread, one.get("region", ""), score)
        yield _heading("Measurements")
        yield table
        if len(measurements) > _MOST_MEASUREMENTS:
            yield Text(f"  … and {len(measurements) - _MOST_MEASUREMENTS} more (--json has them all)", style="dim")


def _bars(rows: list[tuple[str, str | None, float | None, str | None]]) -> Table:
    table = _table("", "", "", "")
    table.show_header = False
    for name, code, probability, band in rows:
        bar = Bar(1.0, 0, probability or 0.0, width=20, color="cyan")
        share = "–" if probability is None else f"{probability:.1%}"
        table.add_row(Text.assemble(name, (f" {code}" if code else "", "dim")), bar, share, band or "")
    return table


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, padding=(0, 2), header_style="dim")


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"

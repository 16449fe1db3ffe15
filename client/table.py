"""An answer for people: what was decided first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from client.words import kind_of_photo, plain, quantity, reason

_HEADLINES = {"answer": ("Answer", "green"), "set": ("One of these", "yellow")}
_NOTHING = "No condition is named."
_LESION_ONLY = "Similar cases name no condition. A model for dermatoscopic photos gives the probabilities below."
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
    headline, colour = _HEADLINES.get(kind, (_LESION_ONLY if answer.get("lesion") else _NOTHING, "yellow"))
    text.append(headline, style="bold")
    text.stylize(colour)
    if kind in _HEADLINES:
        text.append(": " + ", ".join(decision.get("set") or []))
    if decision.get("coverage") is not None:
        text.append(f" (right in {decision['coverage']:.0%} of cases)")
    for code in decision.get("reasons") or []:
        text.append(f"\n  {reason(code)}")
    modality = (answer.get("modality") or {}).get("label")
    return text.append(f"\n  kind of photo: {kind_of_photo(modality)}") if modality else text


def _quality(quality: Answer) -> Iterator[RenderableType]:
    for problem in quality.get("problems") or []:
        yield Text.assemble(("\n⚠ ", "yellow"), problem["message"], " ", (problem["advice"], "cyan"))


def _tone(tone: Answer | None) -> Iterator[RenderableType]:
    if not tone:
        return
    ita, category = tone.get("ita_deg"), tone.get("ita_category")
    known = [f"ITA {_number(ita)}°" + (f" ({category})" if category else "")] if ita is not None else []
    for scale, field in (("Fitzpatrick", "fitzpatrick_estimate"), ("Monk", "monk_estimate")):
        if tone.get(field) is not None:
            known.append(f"{scale} about {tone[field]}")
    yield _heading("Skin tone")
    yield Text(f"  {', '.join(known) or 'not measured'}")


def _conditions(conditions: list[Answer]) -> Iterator[RenderableType]:
    if conditions:
        yield _heading("Conditions of similar cases")
        yield _bars([(one["name"], one.get("icd_10"), _probability(one), one.get("band")) for one in conditions])


def _probability(condition: Answer) -> float | None:
    """The calibrated one, where the index has a calibration."""
    calibrated: float | None = condition.get("calibrated_probability")
    return condition.get("probability") if calibrated is None else calibrated


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
            unit, region = one.get("unit"), plain(one.get("region") or "")
            value, spread = quantity(one.get("value"), unit), quantity(one.get("uncertainty"), unit)
            table.add_row(one.get("label") or plain(one["name"]), value, spread, region, _number(one.get("score"), 0))
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

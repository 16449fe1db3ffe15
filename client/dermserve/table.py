"""Formats an answer for a terminal: first the summary, then the results behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .models import AnalysisAnswer, Condition, Decision, Lesion, Measurement, Prediction, SimilarCase, Tone

#: kind of photo → words for people
KINDS = {
    "face": "a face",
    "lesion_close_up": "one lesion, close up",
    "close_up": "skin",
    "dermatoscopic": "through a dermatoscope",
}
#: region → words for people, where its code is none
REGIONS = {"lesion_minus_surrounding": "lesion against the skin around"}
_MOST_MEASUREMENTS = 24


def render(name: str, answer: AnalysisAnswer) -> RenderableType:
    """A panel with all parts of ``answer``, for a terminal. Missing parts are omitted."""
    return Panel(Group(*_parts(answer)), title=Text(name, style="bold"), title_align="left", padding=(1, 2))


def _parts(answer: AnalysisAnswer) -> Iterator[RenderableType]:
    yield from _summary(answer)
    for problem in answer.quality.problems or []:
        yield Text.assemble(("\n⚠ ", "yellow"), problem.message, " ", (problem.advice, "cyan"))
    yield from _decision(answer.decision)
    if answer.skin:
        yield from _tone(answer.skin.tone)
    yield from _conditions(answer.conditions or [])
    yield from _lesion(answer.lesion)
    yield from _similar(answer.similar_cases or [])
    if answer.skin:
        yield from _measurements(answer.skin.measurements or [])
    for note in answer.notes or []:
        yield Text(f"\n{note}", style="dim")
    yield Text(f"\n{answer.disclaimer}", style="italic")


def _summary(answer: AnalysisAnswer) -> Iterator[RenderableType]:
    """The sentences of the answer's summary, and what the photo was taken for."""
    summary = answer.summary
    if answer.mock:
        yield Text("MOCK: nothing here was measured.", style="bold red")
    yield Text.assemble((summary.headline, "bold"), f" ({summary.certainty})")
    for finding in summary.findings or []:
        yield Text(f"  • {finding.text} ({finding.certainty})")
    yield Text(summary.next_step, style="cyan")
    yield Text(summary.limits, style="dim")
    if kind := answer.modality.label:
        yield Text(f"  kind of photo: {KINDS.get(kind, plain(kind))}")


def _decision(decision: Decision) -> Iterator[RenderableType]:
    """The set of conditions, and how often it contains a right one, or the reasons why there is none."""
    if names := decision.set:
        held = "" if decision.coverage is None else f" (a right one is among them in {decision.coverage:.0%})"
        yield Text(f"\nConditions: {', '.join(names)}{held}")
    if reasons := decision.reasons:
        yield Text(f"  reasons: {', '.join(map(plain, reasons))}", style="dim")


def _tone(tone: Tone | None) -> Iterator[RenderableType]:
    if not tone:
        return
    ends: Sequence[str] = tone.group_range or ()
    known = [tone.group] if tone.group else []
    if len(set(ends)) > 1 and not tone.reference:
        known = [f"{tone.group} in this photo, {ends[0]} to {ends[-1]} in another"]
    if tone.reference:
        known.append(f"measured with a {plain(tone.reference)}")
    if tone.ita_deg is not None:
        spread = tone.ita_uncertainty_deg
        known.append(f"ITA {number(tone.ita_deg)}°" + ("" if spread is None else f" ± {number(spread)}°"))
    for scale, estimate in (("Fitzpatrick", tone.fitzpatrick_estimate), ("Monk", tone.monk_estimate)):
        if estimate is not None:
            known.append(f"{scale} about {estimate}")
    yield _heading("Skin tone")
    yield Text(f"  {', '.join(known) or 'not measured'}")


def _conditions(conditions: Sequence[Condition]) -> Iterator[RenderableType]:
    if conditions:
        table = _table()
        for one in conditions:
            _add_bar(table, one, likelihood(one), one.band or "")
        yield _heading("Conditions of similar cases")
        yield table


def _lesion(lesion: Lesion | None) -> Iterator[RenderableType]:
    if lesion:
        table = _table()
        for one in sorted(lesion.predictions or [], key=lambda one: -(one.probability or 0)):
            _add_bar(table, one, one.probability)
        yield _heading(f"Lesion classes ({lesion.model})")
        yield table if lesion.predictions else Text("  none of them is named")
        yield from _possible(lesion)
        for several in lesion.sums or []:
            yield Text(f"  {plain(several.name)}, together: {share(several.probability)}")
        yield Text(f"  {lesion.caveat}", style="dim")


def _possible(lesion: Lesion) -> Iterator[Text]:
    """The set of possible classes, and how often it contains the right one."""
    names = {one.code: one.name for one in lesion.predictions or []}
    if lesion.decision and (inside := lesion.decision.set):
        held = f"the right class is among them for {share(lesion.decision.coverage)} of photos like the model's data"
        yield Text(f"  possible: {', '.join(names.get(code, code) for code in inside)} ({held})")


def _similar(cases: Sequence[SimilarCase]) -> Iterator[RenderableType]:
    if cases:
        table = _table("similarity", "case", "dermatologists' differential")
        for case in cases:
            weights = sorted((case.differential or {}).items(), key=lambda pair: -(pair[1] or 0))
            differential = ", ".join(f"{name} {weight:.0%}" for name, weight in weights[:3] if weight is not None)
            marked = " (generated)" if case.demonstration else ""
            differential = f"made up: {differential}" if case.demonstration and differential else differential
            table.add_row(number(case.similarity, 3), f"{case.case_id}{marked}", differential)
        yield _heading("Similar cases")
        yield table


def _measurements(measurements: Sequence[Measurement]) -> Iterator[RenderableType]:
    if measurements:
        table = _table("measurement", "value", "±", "region", "percentile")
        for one in measurements[:_MOST_MEASUREMENTS]:
            value, spread = quantity(one.value, one.unit), quantity(one.uncertainty, one.unit)
            table.add_row(one.label, value, spread, place(one.region), number(one.score, 0))
        yield _heading("Measurements")
        yield table
        if len(measurements) > _MOST_MEASUREMENTS:
            yield Text(f"  … and {len(measurements) - _MOST_MEASUREMENTS} more (--json has them all)", style="dim")


def _add_bar(table: Table, one: Condition | Prediction, probability: float | None, remark: str = "") -> None:
    code = f" {one.icd_10}" if one.icd_10 else ""
    name = Text.assemble(named(one), (code, "dim"))
    bar = Bar(1.0, 0, probability or 0.0, width=20, color="cyan")
    table.add_row(name, bar, share(probability), remark)


def named(one: Condition | Prediction) -> str:
    """Its name, with the everyday one."""
    return f"{one.name} ({one.lay_name})" if one.lay_name else one.name


def likelihood(condition: Condition) -> float | None:
    """Its calibrated probability, where the index has a calibration."""
    calibrated = condition.calibrated_probability
    return condition.probability if calibrated is None else calibrated


def place(region: str) -> str:
    """A region in words."""
    return REGIONS.get(region, plain(region))


def _table(*columns: str) -> Table:
    return Table(*columns or [""] * 4, show_header=bool(columns), box=None, padding=(0, 2), header_style="dim")


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def plain(code: str) -> str:
    return code.replace("_", " ")


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def quantity(value: float | None, unit: str | None) -> str:
    """A number with its unit. A share, 0–1, becomes a percentage. A value without dimension has no unit."""
    if value is not None and unit and unit.startswith("share"):
        return f"{value:.1%}"
    sign = "" if value is None or unit in (None, "", "1", "index") else unit if unit == "°" else f" {unit}"
    return f"{number(value)}{sign}"

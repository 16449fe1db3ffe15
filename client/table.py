"""Formats an answer for a terminal: first the decision, then the results behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

Answer = Mapping[str, Any]

#: kind of photo → words for people
KINDS = {
    "face": "a face",
    "lesion_close_up": "one lesion, close up",
    "close_up": "skin",
    "dermatoscopic": "through a dermatoscope",
}
#: code of a reason for the decision → words for people
REASONS = {
    "synthetic_index": "the service's index contains only generated cases, so it names no disease",
    "unusable_photo": "nothing can be seen on this photo",
    "no_colours": "the photo does not show the colours of the skin",
    "modality_conflict": "the photo does not look like the stated kind of photo",
    "not_skin": "this is not a photo of skin",
    "not_calibrated": "it is not known how often answers from this index are right",
    "cosmetic_mode": "the service names no disease",
    "dermatoscopic_photo": "the labelled cases are ordinary photos, which cannot be compared with a dermatoscopic one",
    "clinical_photo": "the labelled cases are dermatoscopic photos, which cannot be compared with an ordinary one",
    "unlike_index": "the photo is unlike the labelled cases",
    "head_and_neighbours_disagree": "similar cases and the trained classifier disagree about this photo",
    "too_many_conditions": "too many conditions remain possible",
    "nothing_likely": "similar cases do not support any condition enough; this does not mean that nothing is there",
    "too_few_to_calibrate": "there are too few labelled cases to say how often an answer would be right",
    "tone_unknown": "the skin tone was not measured with a reference, so the figures are for all tones together",
    "tone_group_too_few": "there are too few labelled cases of this skin tone, so the figures are for all tones",
}
#: region → words for people, where its code is none
REGIONS = {"lesion_minus_surrounding": "lesion against the skin around"}
_HEADLINES = {"answer": ("Answer", "green"), "set": ("One of these", "yellow")}
_NOTHING = "No condition is named."
_LESION_ONLY = "Similar cases name no condition. A lesion model gives the probabilities below."
_MOST_MEASUREMENTS = 24


def render(name: str, answer: Answer) -> RenderableType:
    """A panel with all parts of ``answer``, for a terminal. Missing parts are omitted."""
    return Panel(Group(*_parts(answer)), title=Text(name, style="bold"), title_align="left", padding=(1, 2))


def _parts(answer: Answer) -> Iterator[RenderableType]:
    skin = answer.get("skin") or {}
    yield _decision(answer)
    for problem in (answer.get("quality") or {}).get("problems") or []:
        yield Text.assemble(("\n⚠ ", "yellow"), problem["message"], " ", (problem["advice"], "cyan"))
    yield from _tone(skin.get("tone"))
    yield from _conditions(answer.get("conditions") or [])
    yield from _lesion(answer.get("lesion"))
    yield from _similar(answer.get("similar_cases") or [])
    yield from _measurements(skin.get("measurements") or [])
    for note in answer.get("notes") or []:
        yield Text(f"\n{note}", style="dim")
    yield Text(f"\n{answer.get('disclaimer', '')}", style="italic")


def _decision(answer: Answer) -> Text:
    decision = answer.get("decision") or {}
    kind = str(decision.get("kind", "abstain"))
    text = Text()
    if answer.get("mock"):
        text.append("MOCK: nothing here was measured. ", style="bold red")
    headline, colour = _HEADLINES.get(kind, (_LESION_ONLY if _predicts(answer) else _NOTHING, "yellow"))
    text.append(headline, style="bold")
    text.stylize(colour)
    if kind in _HEADLINES:
        text.append(": " + ", ".join(decision.get("set") or []))
    if decision.get("coverage") is not None:
        text.append(f" (right in {decision['coverage']:.0%} of cases)")
    for code in decision.get("reasons") or []:
        text.append(f"\n  {REASONS.get(code, _plain(code))}")
    modality = (answer.get("modality") or {}).get("label")
    return text.append(f"\n  kind of photo: {KINDS.get(modality, _plain(modality))}") if modality else text


def _predicts(answer: Answer) -> bool:
    """Whether a lesion model gives probabilities."""
    return bool((answer.get("lesion") or {}).get("predictions"))


def _tone(tone: Answer | None) -> Iterator[RenderableType]:
    if not tone:
        return
    group, ends, ita = tone.get("group"), tone.get("group_range") or [], tone.get("ita_deg")
    known = [str(group)] if group else []
    if len(set(ends)) > 1 and not tone.get("reference"):
        known = [f"{group} in this photo, {ends[0]} to {ends[1]} in another"]
    if tone.get("reference"):
        known.append(f"measured with a {_plain(tone['reference'])}")
    if ita is not None:
        spread = tone.get("ita_uncertainty_deg")
        known.append(f"ITA {_number(ita)}°" + ("" if spread is None else f" ± {_number(spread)}°"))
    for scale, field in (("Fitzpatrick", "fitzpatrick_estimate"), ("Monk", "monk_estimate")):
        if tone.get(field) is not None:
            known.append(f"{scale} about {tone[field]}")
    yield _heading("Skin tone")
    yield Text(f"  {', '.join(known) or 'not measured'}")


def _conditions(conditions: list[Answer]) -> Iterator[RenderableType]:
    if conditions:
        table = _table()
        for one in conditions:
            calibrated = one.get("calibrated_probability")  # where the index has a calibration
            probability = one.get("probability") if calibrated is None else calibrated
            _add_bar(table, one, probability, one.get("band") or "")
        yield _heading("Conditions of similar cases")
        yield table


def _lesion(lesion: Answer | None) -> Iterator[RenderableType]:
    if lesion:
        table = _table()
        for one in sorted(lesion.get("predictions") or [], key=lambda one: -(one.get("probability") or 0)):
            _add_bar(table, one, one.get("probability"))
        yield _heading(f"Lesion classes ({lesion.get('model')})")
        yield table if lesion.get("predictions") else Text("  none of them is named")
        yield from _possible(lesion)
        for one in lesion.get("sums") or []:
            yield Text(f"  {_plain(one['name'])}, together: {_share(one.get('probability'))}")
        yield Text(f"  {lesion.get('caveat', '')}", style="dim")


def _possible(lesion: Answer) -> Iterator[Text]:
    """The set of possible classes, and how often it contains the right one."""
    decision = lesion.get("decision") or {}
    names = {one["code"]: one["name"] for one in lesion.get("predictions") or []}
    if inside := decision.get("set"):
        held = f"the right class is among them for {_share(decision.get('coverage'))} of photos like the model's data"
        yield Text(f"  possible: {', '.join(names.get(code, code) for code in inside)} ({held})")


def _similar(cases: list[Answer]) -> Iterator[RenderableType]:
    if cases:
        table = _table("similarity", "case", "dermatologists' differential")
        for case in cases:
            weights = sorted((case.get("differential") or {}).items(), key=lambda pair: -(pair[1] or 0))
            differential = ", ".join(f"{name} {weight:.0%}" for name, weight in weights[:3] if weight is not None)
            generated = bool(case.get("demonstration"))
            marked = " (generated)" if generated else ""
            differential = f"made up: {differential}" if generated and differential else differential
            table.add_row(_number(case.get("similarity"), 3), f"{case['case_id']}{marked}", differential)
        yield _heading("Similar cases")
        yield table


def _measurements(measurements: list[Answer]) -> Iterator[RenderableType]:
    if measurements:
        table = _table("measurement", "value", "±", "region", "percentile")
        for one in measurements[:_MOST_MEASUREMENTS]:
            unit, code = one.get("unit"), one.get("region") or ""
            region = REGIONS.get(code, _plain(code))
            value, spread = _quantity(one.get("value"), unit), _quantity(one.get("uncertainty"), unit)
            table.add_row(one.get("label") or _plain(one["name"]), value, spread, region, _number(one.get("score"), 0))
        yield _heading("Measurements")
        yield table
        if len(measurements) > _MOST_MEASUREMENTS:
            yield Text(f"  … and {len(measurements) - _MOST_MEASUREMENTS} more (--json has them all)", style="dim")


def _add_bar(table: Table, one: Answer, probability: float | None, remark: str = "") -> None:
    code = one.get("icd_10")
    name = Text.assemble(one["name"], (f" {code}" if code else "", "dim"))
    bar = Bar(1.0, 0, probability or 0.0, width=20, color="cyan")
    table.add_row(name, bar, _share(probability), remark)


def _table(*columns: str) -> Table:
    return Table(*columns or [""] * 4, show_header=bool(columns), box=None, padding=(0, 2), header_style="dim")


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _plain(code: str) -> str:
    return code.replace("_", " ")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _quantity(value: float | None, unit: str | None) -> str:
    """A number with its unit. A share, 0–1, becomes a percentage. A value without dimension has no unit."""
    if value is not None and unit and unit.startswith("share"):
        return f"{value:.1%}"
    sign = "" if value is None or unit in (None, "", "1", "index") else unit if unit == "°" else f" {unit}"
    return f"{_number(value)}{sign}"

"""What a person should know first of a comparison: what changed, in one or two sentences, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from ml.analysis.comparison import Change, ChangeSummary, ComparedMeasure, SamePlace

_MOST = 3  # measures that a sentence names
_AGAIN = "Take the next photo from the same distance and angle, in the same light, and keep it sharp."
_SURE = "If you are sure that both photos show the same place, say so (`confirmed`)."
_DOCTOR = "Show a skin change that worries you to a doctor."


def summary_of(place: SamePlace, measures: Sequence[ComparedMeasure], *, confirmed: bool) -> ChangeSummary:
    """The summary. ``confirmed``: the request says that both photos show the same place."""
    if place.method == "none":
        return ChangeSummary(f"The photos cannot be compared. {place.reasons[0].message}", _AGAIN)
    if place.verdict == "unsure" and not confirmed:
        return ChangeSummary(
            "It is not certain that both photos show the same place, so nothing was compared.", f"{_AGAIN} {_SURE}"
        )
    comparable = [one for one in measures if one.change != "not_comparable"]
    if not comparable:
        return ChangeSummary("Nothing could be compared in these two photos.", _AGAIN)
    sentences = _listed(comparable, "higher"), _listed(comparable, "lower")
    changed = " ".join(sentence for sentence in sentences if sentence)
    if not changed:
        return ChangeSummary(
            "No change can be measured between the two photos. Small changes may be missed.", f"{_AGAIN} {_DOCTOR}"
        )
    return ChangeSummary(changed, f"Take a third photo to check it. {_DOCTOR}")


def _listed(measures: Sequence[ComparedMeasure], change: Change) -> str:
    """A sentence that names the measures with this ``change``; empty if there are none."""
    names = [_name(one) for one in measures if one.change == change]
    if not names:
        return ""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{change.capitalize()} than in the first photo: {'; '.join(names[:_MOST])}{more}."


def _name(measure: ComparedMeasure) -> str:
    zone = measure.region.replace("_", " ")
    label = measure.label[0].lower() + measure.label[1:]
    return label if zone in ("skin", "face", "lesion", "lesion minus surrounding") else f"{label} ({zone})"

"""The summary of an analysis: what was seen, how certain that is, and what to do next.

It says what the answer's fields say, in words that need no training. It holds codes and values; `ml.analysis.messages`
has the texts. It never says that nothing is wrong, and it speaks of cancer only if a lesion model rates the photo so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ml.analysis import findings as seen
from ml.analysis.findings import Certainty, Finding
from ml.analysis.messages import Clause, Listed, Message, any_of
from ml.models.kinds import FACE, LESION
from ml.models.phone_lesions import PHONE
from ml.values import DERMATOSCOPIC, NOT_SKIN, Analysis, Lesion, LesionSum

#: how soon a doctor should see a condition
Urgency = Literal["today", "days", "ordinary"]

MOST_FINDINGS = 5
_HALF = 0.5  # from this probability of cancer or an early form of it on, the photo looks like a spot for a doctor
_POSSIBLE = 0.1  # classes of this probability or more are possible if the lesion model makes no set
_MOST_NAMES = 3
_WEIGHTY = 0.2  # a condition of this probability or more counts for how soon a doctor should see the skin
_POOR = 30.0  # a quality score below: little can be told from the photo

#: problems that a new photo would not have; they make every measured value less certain
_RETAKE = ("too_blurry", "too_dark", "too_bright", "clipped", "colour_cast", "little_skin", "hdr_photo")
#: problems that the original file would not have
_RESEND = ("damaged", "no_colour", "unknown_colours", "no_contrast", "low_resolution")


@dataclass(frozen=True)
class Summary:
    """``certainty``: that of the headline. ``findings``: the most important first, at most MOST_FINDINGS."""

    headline: Message
    certainty: Certainty
    findings: tuple[Finding, ...]
    next_step: Message
    limits: Message


@dataclass(frozen=True)
class _Draft(Summary):
    """A summary before the photo's quality is considered. ``settled``: a better photo does not change the next step."""

    settled: bool = False


def _ordinary(_: str) -> Urgency:
    return "ordinary"


def summarise(
    analysis: Analysis, *, cosmetic: bool = False, made_up: bool = False, urgency: Callable[[str], Urgency] = _ordinary
) -> Summary:
    """The summary of ``analysis``. ``cosmetic``: it looks for no disease, and ``analysis`` names none. ``made_up``: the
    analysis is canned. ``urgency``: how soon a doctor should see the condition with this name."""
    draft = _unseen(analysis) or _named(analysis, urgency) or _measured(analysis)
    if cosmetic:
        limits = draft.limits if draft.limits.code == "nothing" else Message("cosmetic")
        next_step = draft.next_step if draft.next_step.code == "show_skin" else Message("compare")
        draft = replace(draft, next_step=next_step, limits=limits)
    if made_up:
        draft = replace(draft, headline=Message("made_up"), certainty="clear", limits=Message("made_up"))
    doubtful = any(problem.code in _RETAKE for problem in analysis.quality.problems)
    told = tuple(seen.less_certain(one) for one in draft.findings) if doubtful else draft.findings
    found = (*seen.photos_of_others(analysis), *told, *seen.kind_of_photo(analysis), *_problems(analysis))
    return Summary(
        headline=draft.headline,
        certainty=seen.lowered(draft.certainty) if doubtful and told else draft.certainty,
        findings=found[:MOST_FINDINGS],
        next_step=_next_step(draft, analysis),
        limits=draft.limits,
    )


def _problems(analysis: Analysis) -> tuple[Finding, ...]:
    """The problems of the photo. Where no skin is seen, those of skin make no sense, and the first one says enough."""
    if analysis.modality.label == NOT_SKIN:
        return ()
    return tuple(seen.problems(analysis))[: None if analysis.quality.usable else 1]


def _unseen(analysis: Analysis) -> _Draft | None:
    """The summary of a photo in which nothing was measured."""
    quality, label = analysis.quality, analysis.modality.label
    certainty: Certainty = "clear"
    if label == NOT_SKIN:
        code, certainty = "no_skin", "uncertain" if seen.is_doubtful(analysis.modality) else "likely"
    elif not quality.usable or label is None:
        code = "nothing_to_see"
    elif not quality.colours:
        code = "no_colours"
    else:
        return None
    settled = label == NOT_SKIN
    return _Draft(Message(code), certainty, (), Message("show_skin"), Message("nothing"), settled=settled)


def _named(analysis: Analysis, urgency: Callable[[str], Urgency]) -> _Draft | None:
    """The summary of a photo for which a lesion model or the labelled cases give names."""
    if analysis.lesion is not None and analysis.lesion.predictions:
        return _spot(analysis, analysis.lesion)
    return _conditions(analysis, urgency) if analysis.decision.set else None


def _spot(analysis: Analysis, lesion: Lesion) -> _Draft:
    """A spot that a lesion model has rated."""
    possible = _possible(lesion)
    widest = max(lesion.sums, key=lambda one: len(one.codes), default=LesionSum("", (), 0.0))
    serious = [code for code in possible if code in widest.codes]
    same_advice = not serious or len(serious) == len(possible)
    certainty: Certainty = "likely" if same_advice and not seen.kind_is_doubtful(analysis) else "uncertain"
    names = {one.code: one.name for one in lesion.predictions}
    shown = {"conditions": any_of(*(names[code] for code in possible[:_MOST_NAMES]))}
    sure: Certainty = "likely" if len(possible) == 1 else "uncertain"
    fits = Finding(Message("fits_best", shown), "lesion.predictions", min(certainty, sure, key=_doubt))
    measured = (*seen.sizes(analysis), *seen.colours(analysis))
    draft = _Draft(
        Message("spot_like", shown), certainty, (fits, *measured), Message("doctor_if_spot"), _spot_limits(lesion)
    )
    if not serious:
        return draft
    share = {"share": _tenths(widest.probability)}
    rated = Finding(Message("rated_alike", share), f"lesion.sums.{widest.name}", certainty)
    draft = replace(draft, findings=(fits, rated, *measured), next_step=Message("doctor"), settled=True)
    if widest.probability < _HALF:
        return replace(draft, headline=Message("spot_open"), certainty="uncertain")
    headline = "spot_for_a_doctor" if certainty == "likely" else "spot_perhaps_for_a_doctor"
    soon = min(one.probability for one in lesion.sums) >= _HALF  # the narrowest sum is that of cancer
    return replace(draft, headline=Message(headline), next_step=Message("doctor_soon" if soon else "doctor"))


def _possible(lesion: Lesion) -> Sequence[str]:
    """The codes of the classes that remain possible, most probable first; at least one."""
    known = [one.code for one in lesion.predictions]
    if lesion.decision is not None and (stated := [code for code in lesion.decision.set if code in known]):
        return stated
    likely = [one.code for one in lesion.predictions if one.probability >= _POSSIBLE]
    return likely or known[:1]


def _spot_limits(lesion: Lesion) -> Message:
    if lesion.sensitivity is None:
        return Message("spots")
    missed = round(100 * (1 - lesion.sensitivity))
    return Message("phone_spots" if lesion.input == PHONE else "lens_spots", {"missed": missed})


def _conditions(analysis: Analysis, urgency: Callable[[str], Urgency]) -> _Draft:
    """The conditions of labelled cases that the decision commits to."""
    decision = analysis.decision
    one = decision.kind == "answer"
    certainty: Certainty = "likely" if one else "uncertain"
    likely = _likeliest(analysis)
    shown = {"conditions": any_of(*likely)}
    told = [Finding(Message("labelled_photos", shown), "decision.set", certainty)]
    if decision.coverage is not None:
        held = {"share": _tenths(decision.coverage), "number": len(decision.set)}
        told.append(Finding(Message("right_so_often", held), "decision.coverage", "likely"))
    step = _urgent_step(analysis, urgency)
    return _Draft(
        headline=_headline(likely, len(decision.set)),
        certainty=certainty,
        findings=(*told, *_all_measured(analysis)),
        next_step=step or _watch(analysis),
        limits=Message("labelled_cases"),
        settled=step is not None,
    )


def _likeliest(analysis: Analysis) -> tuple[str, ...]:
    """The names to show: all of a few, or those of many that are not improbable, at most three."""
    names = analysis.decision.set
    if len(names) <= _MOST_NAMES:
        return names
    shares = _shares(analysis)
    return tuple(name for name in names if shares.get(name, 0.0) >= _POSSIBLE)[:_MOST_NAMES] or names[:1]


def _headline(shown: Sequence[str], possible: int) -> Message:
    if possible > _MOST_NAMES:
        return Message("many_conditions", {"conditions": Listed(tuple(shown), conditions=True)})
    return Message("condition" if possible == 1 else "conditions", {"conditions": any_of(*shown)})


def _shares(analysis: Analysis) -> dict[str, float]:
    """Condition → its probability, calibrated if it can be."""
    return {
        one.name: one.probability if one.calibrated_probability is None else one.calibrated_probability
        for one in analysis.conditions
    }


def _urgent_step(analysis: Analysis, urgency: Callable[[str], Urgency]) -> Message | None:
    """When to show conditions that are urgent, if one of them is the only one or not improbable."""
    names = analysis.decision.set
    shares = _shares(analysis)
    weighty = [name for name in names if len(names) == 1 or shares.get(name, 0.0) >= _WEIGHTY]
    for how_soon, code in (("today", "doctor_today"), ("days", "doctor_in_days")):
        if urgent := [name for name in weighty if urgency(name) == how_soon]:
            return Message(code, {"conditions": any_of(*urgent[:_MOST_NAMES])})
    return None


def _measured(analysis: Analysis) -> _Draft:
    """The summary of a photo for which no condition is named: what was measured."""
    quality, modality, lesion = analysis.quality, analysis.modality, analysis.lesion
    perhaps_dermatoscopic = seen.is_perhaps_dermatoscopic(analysis)
    watch = Message("state_kind") if perhaps_dermatoscopic else _watch(analysis)
    if quality.score < _POOR and quality.problems:
        problem = {"problem": Clause(quality.problems[0].message)}
        return _Draft(Message("poor_photo", problem), "clear", (), watch, Message("nothing"))
    if lesion is not None:
        told = (*seen.sizes(analysis), *seen.colours(analysis))
        return _Draft(Message("spot_unknown"), "uncertain", told, watch, _spot_limits(lesion))
    headline, certainty = (_face if modality.label == FACE else _area)(analysis)
    synthetic = analysis.index is None or analysis.index.synthetic
    limits = Message("no_real_cases" if synthetic else "no_condition")
    return _Draft(headline, certainty, _all_measured(analysis), watch, limits, settled=perhaps_dermatoscopic)


def _all_measured(analysis: Analysis) -> tuple[Finding, ...]:
    faces = (*seen.redder_zones(analysis), *seen.spots(analysis))
    return (*seen.sizes(analysis), *seen.colours(analysis), *faces, *seen.tone(analysis), *seen.grades(analysis))


def _face(analysis: Analysis) -> tuple[Message, Certainty]:
    redder = seen.redder_zones(analysis)
    spots = tuple(one for one in seen.spots(analysis) if one.certainty != "uncertain")
    if redder:
        told = Message("zones_redder_and_spots") if spots else Message("zones_redder", redder[0].text.values)
        return told, redder[0].certainty
    if spots:
        return Message("spots", spots[0].text.values), spots[0].certainty
    compared = any(seen.compared_zones(analysis))
    return Message("face" if compared else "face_not_compared"), "likely" if compared else "uncertain"


def _area(analysis: Analysis) -> tuple[Message, Certainty]:
    """A spot or an area of skin, by its colours."""
    for one in seen.colours(analysis):
        spot = analysis.modality.label in (LESION, DERMATOSCOPIC)
        return Message("spot_stands_out" if spot else "area_stands_out", one.text.values), one.certainty
    return Message("skin"), "uncertain"


def _next_step(draft: _Draft, analysis: Analysis) -> Message:
    """The draft's next step, or a better photo."""
    problems = {problem.code: problem for problem in analysis.quality.problems}
    code = next((code for code in problems if code in (*_RETAKE, *_RESEND)), None)
    if draft.settled or code is None:
        return draft.next_step
    advice = {"advice": Clause(problems[code].advice)}
    if draft.next_step.code in ("doctor_if_spot", "doctor_if_skin"):
        return Message("retake_or_doctor", advice) if code in _RETAKE else draft.next_step
    return Message("retake" if code in _RETAKE else "resend", advice)


def _watch(analysis: Analysis) -> Message:
    """When to show what is in the photo to a doctor."""
    return Message("doctor_if_spot" if analysis.modality.label in (LESION, DERMATOSCOPIC) else "doctor_if_skin")


def _tenths(share: float) -> int:
    """``share``, 0–1, in tenths, 1 to 9: a share of photos is never none or all."""
    return min(max(round(10 * share), 1), 9)


def _doubt(certainty: Certainty) -> int:
    """A number that is smaller the less certain it is."""
    return -seen.CERTAINTIES.index(certainty)

"""What a summary may say: one finding for each thing that was measured or noticed, with its certainty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ml.analysis.messages import DIFFERENCES, GRADES, ZONES, Listed, Message, Value
from ml.analysis.routing import MAYBE_DERMATOSCOPIC, MAYBE_ONE_LESION, UNLIKE_PHOTOS
from ml.analysis.scores import USUAL, grade
from ml.models.kinds import CLOSE_UP
from ml.skin.catalogue import CATALOGUE
from ml.values import Analysis, Measurement, Modality

Certainty = Literal["clear", "likely", "uncertain"]
CERTAINTIES: tuple[Certainty, ...] = ("clear", "likely", "uncertain")

_SURE_OF_KIND = 0.65  # a smaller confidence in the kind of photo is doubtful
_FAR = 2**0.5  # times the uncertainty: two photos of the same skin mostly differ by less
_LEAST_SPOTS = 3
_MOST_ZONES = 3  # that are named: the reddest


@dataclass(frozen=True)
class Finding:
    """``basis``: the path of the field of the answer that says it. Elements of a list are addressed by their name or
    code, such as "skin.zones.nose.zone_redness_difference"."""

    text: Message
    basis: str
    certainty: Certainty


def colours(analysis: Analysis) -> tuple[Finding, ...]:
    """How the colour of a lesion or an area differs from that of the skin around it, as far as that is sure."""
    sure = [one for one in analysis.skin.measurements if one.name in DIFFERENCES and _exceeds(one, 1)]
    if not sure:
        return ()
    sure.sort(key=lambda one: -abs((one.value or 0.0) / (one.uncertainty or 1.0)))
    words = tuple(DIFFERENCES[one.name][(one.value or 0.0) < 0] for one in sure)
    certainty = _surest(sure[-1], "lesion_minus_surrounding")
    if analysis.modality.label == CLOSE_UP:  # how well a rash is outlined was not measured
        certainty = "likely"
    basis = f"skin.measurements.{sure[0].name}" if len(sure) == 1 else "skin.measurements"
    return (Finding(Message("colour", {"differences": Listed(words)}), basis, certainty),)


def sizes(analysis: Analysis) -> Iterator[Finding]:
    for one in analysis.skin.measurements:
        if one.name == "lesion_diameter_mm" and one.value is not None and one.uncertainty is not None:
            values = {"millimetres": round(one.value, 1), "spread": max(round(one.uncertainty, 1), 0.1)}
            yield Finding(Message("diameter", values), f"skin.measurements.{one.name}", "likely")


def compared_zones(analysis: Analysis) -> Iterator[tuple[str, Measurement]]:
    """Zone and its measured redness, compared with the forehead."""
    for zone in analysis.skin.zones or ():
        for one in zone.measurements:
            if one.name == "zone_redness_difference" and one.value is not None:
                yield zone.name, one


def redder_zones(analysis: Analysis) -> tuple[Finding, ...]:
    redder = [(name, one) for name, one in compared_zones(analysis) if one.value and one.value > 0 and _exceeds(one, 1)]
    if not redder:
        return ()
    redder.sort(key=lambda pair: -(pair[1].value or 0.0))
    zones = Listed(tuple(ZONES.get(name, name) for name, _ in redder[:_MOST_ZONES]))
    basis = f"skin.zones.{redder[0][0]}.zone_redness_difference" if len(redder) == 1 else "skin.zones"
    return (Finding(Message("redder_zones", {"zones": zones}), basis, _surest(redder[-1][1], "zone")),)


def spots(analysis: Analysis) -> tuple[Finding, ...]:
    for one in analysis.skin.measurements:
        if one.name == "spot_count" and one.region == "face" and (one.value or 0.0) >= _LEAST_SPOTS:
            number, spread = one.value or 0.0, one.uncertainty or 0.0
            values = {
                "number": round(number),
                "fewest": max(0, round(number - spread)),
                "most": round(number + spread),
            }
            certainty: Certainty = "likely" if _exceeds(one, 1) else "uncertain"
            return (Finding(Message("spot_count", values), "skin.measurements.spot_count", certainty),)
    return ()


def tone(analysis: Analysis) -> tuple[Finding, ...]:
    tone = analysis.skin.tone
    if tone is None or tone.reference is None or tone.ita_category is None:
        return ()
    return (Finding(Message("tone", {"tone": tone.ita_category}), "skin.tone.ita_category", "likely"),)


def grades(analysis: Analysis) -> Iterator[Finding]:
    """Measures that are far from usual among the photos of a real index."""
    if analysis.index is None or analysis.index.synthetic:
        return
    low, high = USUAL
    for one in analysis.skin.measurements:
        if one.name not in GRADES or one.score is None or grade(one.score) == "usual":
            continue
        above = grade(one.score) == "higher_than_usual"
        share = round(one.score if above else 100 - one.score)
        values: dict[str, Value] = {"grade": GRADES[one.name][not above], "share": share}
        spread = one.score_uncertainty or 0.0
        sure = one.score - spread > high if above else one.score + spread < low
        yield Finding(Message("unusual", values), f"skin.measurements.{one.name}", "likely" if sure else "uncertain")


def _exceeds(one: Measurement, times: float) -> bool:
    """Whether the value differs from 0 by more than so many times its uncertainty."""
    return one.value is not None and one.uncertainty is not None and abs(one.value) > times * one.uncertainty


def _surest(one: Measurement, region: Literal["zone", "lesion_minus_surrounding"]) -> Certainty:
    """Clear if another photo of the same skin would mostly show the same sign, and it is known how well photos agree on
    this measure."""
    evidence = CATALOGUE[one.name].evidence[region]
    return "clear" if evidence is not None and evidence.icc is not None and _exceeds(one, _FAR) else "likely"


def photos_of_others(analysis: Analysis) -> Iterator[Finding]:
    """That the photos of the case may show different people."""
    if UNLIKE_PHOTOS in analysis.notes:
        yield Finding(Message("unlike_photos"), "notes", "uncertain")


def kind_of_photo(analysis: Analysis) -> Iterator[Finding]:
    modality = analysis.modality
    if modality.stated is not None and modality.label != modality.stated:
        yield Finding(Message("kind_contradicted"), "modality", "likely")
    elif is_perhaps_dermatoscopic(analysis):
        yield Finding(Message("kind_perhaps_dermatoscopic"), "notes", "likely")
    elif kind_is_doubtful(analysis):
        yield Finding(Message("kind_doubtful"), "notes", "likely")


def is_perhaps_dermatoscopic(analysis: Analysis) -> bool:
    """Whether no lesion model ran because the photo may be dermatoscopic."""
    return MAYBE_DERMATOSCOPIC in analysis.notes


def kind_is_doubtful(analysis: Analysis) -> bool:
    """Whether it is doubtful if the photo shows one lesion or other skin."""
    return MAYBE_ONE_LESION in analysis.notes


def is_doubtful(modality: Modality) -> bool:
    return modality.confidence is not None and modality.confidence < _SURE_OF_KIND


def problems(analysis: Analysis) -> Iterator[Finding]:
    for problem in analysis.quality.problems:
        yield Finding(Message("quality", {"problem": problem.message}), f"quality.problems.{problem.code}", "clear")


def lowered(certainty: Certainty) -> Certainty:
    return CERTAINTIES[min(CERTAINTIES.index(certainty) + 1, len(CERTAINTIES) - 1)]


def less_certain(finding: Finding) -> Finding:
    return replace(finding, certainty=lowered(finding.certainty))

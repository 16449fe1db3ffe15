"""The Observations of a photo and of the skin in it. Each function returns them without the fields that all share.

Numbers come from ``payload``, which rounds them as in the service's own format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from web.answers import AnalysisAnswer
from web.answers.photo import Modality, Quality
from web.answers.skin import Measurement, Skin, Tone
from web.cosmetic import COSMETIC
from web.profiles.fhir.elements import Element, absent, component, concept, observation, own, quantity
from web.profiles.fhir.predictions import conditions, lesion
from web.wire import payload

#: region of a measurement → its name, if that is not the region's own
_REGIONS = {"lesion_minus_surrounding": "lesion, compared with the skin around it", "photo": "whole photo"}
_NO_SKIN_MEASURED = "Nothing was measured on the skin in this photo."


def observations(answer: AnalysisAnswer) -> Mapping[str, Element]:
    """Key → Observation, in the order of the report. No key occurs twice. In cosmetic mode none names a disease."""
    found = {
        "photo_kind": _photo_kind(answer.modality, answer.notes),
        "photo_quality": _photo_quality(answer.quality),
    }
    if COSMETIC not in answer.decision.reasons:
        found |= {"conditions": conditions(answer), "lesion": lesion(answer.lesion)}
    return {**found, "skin_tone": _skin_tone(answer.skin.tone), **dict(_measurements(answer.skin))}


def _photo_kind(kind: Modality, said: list[str]) -> Element:
    """``said``: the notes of the answer, which are about the kind of photo."""
    parts = []
    if (confidence := payload(kind).get("confidence")) is not None:
        parts.append(component(own("confidence", "Confidence"), valueQuantity=quantity(confidence, "probability")))
    if kind.stated is not None:
        parts.append(component(own("stated", "Kind that the request states"), valueString=kind.stated))
    value = (
        {"valueCodeableConcept": own(kind.label, _words(kind.label))}
        if kind.label
        else absent("unknown", "The kind of photo is undetermined.")
    )
    return observation(own("photo_kind", "Kind of photo"), value, parts, said)


def _photo_quality(quality: Quality) -> Element:
    code = own("photo_quality", "Quality of the photo, 0 to 100; 100 is best")
    value = {"valueQuantity": quantity(payload(quality)["score"], "score")}
    usable = component(own("usable", "Whether anything can be measured"), valueBoolean=quality.usable)
    problems = [
        component(own("problem", "Problem"), valueCodeableConcept=own(one.code, one.message))
        for one in quality.problems
    ]
    return observation(code, value, [usable, *problems], [one.advice for one in quality.problems])


def _skin_tone(tone: Tone | None) -> Element:
    code = own("skin_tone", "Skin tone in this photo")
    if tone is None:
        return observation(code, absent("not-performed", _NO_SKIN_MEASURED))
    if tone.group is None:
        return observation(code, absent("unknown", tone.caveat))
    return observation(code, {"valueCodeableConcept": own(tone.group, tone.group)}, [*_tone_parts(tone)], [tone.caveat])


def _tone_parts(tone: Tone) -> Iterator[Element]:
    """The values that need a colour reference in the photo. Without one they say nothing about the person."""
    if tone.reference is None:
        return
    yield component(own("reference", "Colour reference"), valueString=tone.reference)
    if (angle := payload(tone).get("ita_deg")) is not None:
        yield component(own("ita", "Individual typology angle"), valueQuantity=quantity(angle, "°"))
    for name, label, value, spread in (
        ("fitzpatrick", "Fitzpatrick skin type, estimated", tone.fitzpatrick_estimate, tone.fitzpatrick_range),
        ("monk", "Monk skin tone, estimated", tone.monk_estimate, tone.monk_range),
    ):
        if value is not None:
            yield component(own(name, label), valueInteger=value)
        if spread is not None:
            low, high = spread
            likely = {"low": {"value": low}, "high": {"value": high}}
            yield component(own(f"{name}_range", f"{label}: likely range"), valueRange=likely)


def _measurements(skin: Skin) -> Iterator[tuple[str, Element]]:
    measured = [*skin.measurements, *(one for zone in skin.zones or () for one in zone.measurements)]
    for one in measured:
        yield f"{one.region}/{one.name}", _measurement(one)
    if not measured:
        code = own("skin_measurements", "Measurements of the skin")
        yield "skin_measurements", observation(code, absent("not-performed", _NO_SKIN_MEASURED))


def _measurement(one: Measurement) -> Element:
    rounded = payload(one).get("value")
    value = (
        absent("unknown", "This could not be measured in the photo.")
        if rounded is None
        else {"valueQuantity": quantity(rounded, one.unit)}
    )
    where = {"bodySite": concept(_REGIONS.get(one.region, _words(one.region))), "method": concept(one.method)}
    return observation(own(one.name, one.label), {**value, **where}, [*_measurement_parts(one)])


def _measurement_parts(one: Measurement) -> Iterator[Element]:
    rounded = payload(one)
    if "value" in rounded and "uncertainty" in rounded:
        uncertainty = quantity(rounded["uncertainty"], one.unit)
        yield component(own("uncertainty", "Uncertainty"), valueQuantity=uncertainty)
    if "score" in rounded:
        grade = {"interpretation": [concept(_words(one.grade))]} if one.grade else {}
        percentile = quantity(rounded["score"], "%")
        yield component(own("score", "Share of the index's photos with less"), valueQuantity=percentile, **grade)


def _words(name: str) -> str:
    return name.replace("_", " ")

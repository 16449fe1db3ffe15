"""The datatypes of FHIR R4 that the profile uses, and the systems of its codes.

FHIR forbids nulls and empty arrays and objects, so each function leaves out what is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: a JSON object of FHIR
Element = dict[str, Any]

LOINC, SNOMED_CT, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
#: the system of identifiers that are URIs
URI = "urn:ietf:rfc:3986"
#: the service's own names: measures, classes of lesions, problems of photos, and what the other observations are about
OWN_NAMES = "urn:uuid:5a1f3c7e-2f0b-4c56-9d0e-7b8a4e61c2d9"
_DATA_ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
#: unit in the catalogue of measures → its code in UCUM; the other units are colour distances or pixels, which have none
_UCUM_CODES: Mapping[str, str] = {
    **dict.fromkeys(("1", "index", "probability", "share", "share of the photo", "spots"), "1"),
    **{"%": "%", "mm": "mm", "mm²": "mm2", "°": "deg", "score": "{score}"},
}


def coding(system: str, code: str, display: str = "") -> Element:
    """A Coding."""
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(text: str, *codings: Element) -> Element:
    """A CodeableConcept. ``text`` alone says it where no code is known."""
    return ({"coding": list(codings)} if codings else {}) | {"text": text}


def own(name: str, text: str) -> Element:
    """A CodeableConcept with one of the service's own names."""
    return concept(text, coding(OWN_NAMES, name))


def disease(name: str, icd_10: str | None) -> Element:
    """A CodeableConcept for a condition or a class of lesions, with its ICD-10-CM code if there is one."""
    return concept(name, *([coding(ICD_10_CM, icd_10)] if icd_10 else []))


def absent(code: str, why: str) -> Element:
    """The reason for a missing value: a ``code`` of FHIR's own list, and a sentence."""
    return {"dataAbsentReason": concept(why, coding(_DATA_ABSENT_REASON, code))}


def quantity(value: float, unit: str) -> Element:
    """A Quantity. Its unit has a code if UCUM has one. A whole number has no decimals, since FHIR's decimals state a
    precision."""
    code = _UCUM_CODES.get(unit)
    whole = int(value) if float(value).is_integer() else value
    return {"value": whole, "unit": unit} | ({"system": UCUM, "code": code} if code else {})


def component(code: Element, **value: object) -> Element:
    """An Observation.component."""
    return {"code": code, **value}


def observation(
    code: Element, fields: Element, components: Sequence[Element] = (), notes: Sequence[str] = ()
) -> Element:
    """An Observation of ``code`` with ``fields``: its value, or the reason for a missing one, and whatever else."""
    found = {"code": code, **fields}
    if components:
        found["component"] = [*components]
    if notes:
        found["note"] = [{"text": sentence} for sentence in notes]
    return found

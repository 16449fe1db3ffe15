"""Checks a Bundle of the FHIR profile: against the models of fhir.resources, and the rules that these do not check.

fhir.resources has models of R4B (4.3.0), not of R4 (4.0.1). R4B changed medicines, evidence and subscriptions; Bundle,
DiagnosticReport, Observation, Device and the datatypes used here are the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B.bundle import Bundle

_SYSTEMS = {
    "http://loinc.org",
    "http://snomed.info/sct",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://terminology.hl7.org/CodeSystem/v2-0074",
    "http://terminology.hl7.org/CodeSystem/observation-category",
    "http://terminology.hl7.org/CodeSystem/data-absent-reason",
    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "urn:uuid:5a1f3c7e-2f0b-4c56-9d0e-7b8a4e61c2d9",
}
_UCUM, _UCUM_CODES = "http://unitsofmeasure.org", {"1", "%", "mm", "mm2", "deg", "{score}"}
_ABSENT = {"unknown", "not-performed"}
#: ICD-10-CM has a letter, a digit, a digit or letter, and after a dot up to four of them
_ICD_10_CM = re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
#: a value with a digit that no uncertainty supports
_MOST_DIGITS = 6


def checked(bundle: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Resource type → resources of a valid ``bundle``."""
    Bundle.model_validate(bundle)
    for path, value in _walk(bundle):
        assert value not in (None, "", [], {}), f"{path} is empty"
    _check_entries(bundle["entry"])
    resources: dict[str, list[dict[str, Any]]] = {}
    for entry in bundle["entry"]:
        resources.setdefault(entry["resource"]["resourceType"], []).append(entry["resource"])
    assert set(resources) == {"DiagnosticReport", "Observation", "Device"}
    (report,), (device,) = resources["DiagnosticReport"], resources["Device"]
    assert report["status"] == "preliminary"
    assert device["deviceName"][0]["name"] == "DermServe"
    for one in resources["Observation"]:
        _check_observation(one)
    for path, value in _walk(bundle):
        _check_element(path, value)
    return resources


def observation(resources: dict[str, list[dict[str, Any]]], name: str, site: str | None = None) -> dict[str, Any]:
    """The Observation with the service's own ``name``, of the body site if that is given."""
    (found,) = (
        one
        for one in resources["Observation"]
        if one["code"]["coding"][0]["code"] == name and (site is None or one["bodySite"]["text"] == site)
    )
    return found


def components(of: dict[str, Any]) -> dict[str, Any]:
    """The text of a component's code → its value."""
    return {
        one["code"]["text"]: next(value for key, value in one.items() if key.startswith("value"))
        for one in of.get("component", [])
    }


def _check_entries(entries: list[dict[str, Any]]) -> None:
    urls = [entry["fullUrl"] for entry in entries]
    assert len(set(urls)) == len(urls)
    report = entries[0]["resource"]
    assert [one["reference"] for one in report["result"]] == urls[1:-1]
    for entry in entries:
        assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", entry["fullUrl"])
        assert (entry["request"]["method"], entry["request"]["url"]) == ("POST", entry["resource"]["resourceType"])
    referred = {value for path, value in _walk(entries) if path.endswith(".reference")}
    assert referred == set(urls[1:]), "a reference leads nowhere, or a resource is not referred to"


def _check_observation(one: dict[str, Any]) -> None:
    assert one["status"] == "preliminary"
    values = [key for key in one if key.startswith("value")]
    # The invariant obs-6 of FHIR: a reason for a missing value stands only where there is none.
    assert len(values) + ("dataAbsentReason" in one) <= 1
    assert values or "dataAbsentReason" in one or "component" in one
    assert "subject" not in one
    assert all(sum(key.startswith("value") for key in part) == 1 for part in one.get("component", []))


def _check_element(path: str, value: Any) -> None:
    if path.endswith((".timestamp", ".effectiveDateTime", ".issued")):
        assert _INSTANT.fullmatch(value), value
    if not isinstance(value, dict):
        return
    if "code" in value and "system" in value and "value" not in value:
        assert value["system"] in _SYSTEMS, value
        if value["system"].endswith("icd-10-cm"):
            assert _ICD_10_CM.fullmatch(value["code"]), value
        if value["system"].endswith("data-absent-reason"):
            assert value["code"] in _ABSENT, value
    if path.endswith(".valueQuantity"):
        assert ("code" in value) == ("system" in value)
        assert value.get("system", _UCUM) == _UCUM
        assert value.get("code", "1") in _UCUM_CODES
        digits = re.sub(r"e.*|[-.]", "", repr(value["value"])).strip("0")
        assert len(digits) <= _MOST_DIGITS, value


def _walk(value: Any, path: str = "Bundle") -> Iterator[tuple[str, Any]]:
    """Every value inside ``value``, itself included, with its path."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, f"{path}.{key}")
    if isinstance(value, list):
        for inner in value:
            yield from _walk(inner, path)

"""The response profile ``fhir``: a Bundle of FHIR R4 with a DiagnosticReport, its Observations and the Device.

The Bundle is a transaction, so a FHIR server stores it as it is. Nothing in it describes or names a person, and the
photo is not a part of it.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, Literal

from web.answers import AnalysisAnswer
from web.answers.disease import Decision
from web.profiles.fhir.elements import LOINC, SNOMED_CT, URI, Element, coding, concept, disease
from web.profiles.fhir.observations import observations
from web.wire import Wire

MEDIA_TYPE = "application/fhir+json"
_NAME = "DermServe"
_PRELIMINARY = "preliminary"
_REPORT_CATEGORY = coding("http://terminology.hl7.org/CodeSystem/v2-0074", "IMG", "Diagnostic Imaging")
_OBSERVATION_CATEGORY = coding("http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging")
_BY_MACHINE = coding(
    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "AIAST", "Artificial Intelligence asserted"
)
_MADE_UP = coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", "HTEST", "test health data")
#: the language of everything but the conclusion
_LANGUAGE = "en"


class FhirEntry(Wire):
    """One resource of the Bundle."""

    fullUrl: str  # noqa: N815 - FHIR's name
    """The URI by which other resources of the Bundle refer to this one."""
    resource: dict[str, Any]
    """A DiagnosticReport, an Observation or a Device of FHIR R4 (https://hl7.org/fhir/R4/), by its `resourceType`."""
    request: dict[str, str]
    """What a FHIR server does with it: `method`, `url`, and for the Device `ifNoneExist`."""


class FhirBundle(Wire):
    """A Bundle of FHIR R4 (https://hl7.org/fhir/R4/bundle.html): the DiagnosticReport first, then its Observations and
    the Device."""

    resourceType: Literal["Bundle"] = "Bundle"  # noqa: N815 - FHIR's name
    """The type of this resource."""
    type: Literal["transaction"] = "transaction"
    """A FHIR server stores all resources, or none."""
    timestamp: str
    """The time of the analysis."""
    entry: list[FhirEntry]
    """The resources."""


def fhir(answer: AnalysisAnswer) -> FhirBundle:
    """``answer`` as resources of FHIR R4."""
    device = _device(answer)
    device_url = device["identifier"][0]["value"]
    shared = {
        "resourceType": "Observation",
        "meta": _meta(answer),
        "language": _LANGUAGE,
        "status": _PRELIMINARY,
        "category": [{"coding": [_OBSERVATION_CATEGORY]}],
        "effectiveDateTime": answer.timestamp,
        "issued": answer.timestamp,
        "device": {"reference": device_url, "display": _NAME},
    }
    results = {_url(answer, key): {**shared, **one} for key, one in observations(answer).items()}
    report = _report(answer, [{"reference": url} for url in results])
    entries = [
        _entry(_urn(answer.analysis_id), report),
        *(_entry(url, one) for url, one in results.items()),
        _entry(device_url, device, ifNoneExist=f"identifier={URI}|{device_url}"),
    ]
    return FhirBundle(timestamp=answer.timestamp, entry=entries)


def _report(answer: AnalysisAnswer, results: list[Element]) -> Element:
    report = {
        "resourceType": "DiagnosticReport",
        "meta": _meta(answer),
        "language": answer.language,
        "identifier": [{"system": URI, "value": _urn(answer.analysis_id)}],
        "status": _PRELIMINARY,
        "category": [{"coding": [_REPORT_CATEGORY]}],
        "code": concept("Analysis of a skin photo", coding(LOINC, "18748-4", "Diagnostic imaging study")),
        "effectiveDateTime": answer.timestamp,
        "issued": answer.timestamp,
        "result": results,
        "conclusion": _conclusion(answer),
    }
    codes = _conclusion_codes(answer.decision, {one.name: one.icd_10 for one in answer.conditions})
    return report | ({"conclusionCode": codes} if codes else {})


def _conclusion(answer: AnalysisAnswer) -> str:
    said = answer.summary
    return "\n".join(
        (said.headline, *(one.text for one in said.findings), said.next_step, said.limits, answer.disclaimer)
    )


def _conclusion_codes(decision: Decision, icd_10: dict[str, str | None]) -> list[Element]:
    """The conditions that remain possible; none if the decision abstains."""
    if decision.kind == "abstain":
        return []
    n = len(decision.set)
    return [
        disease(name, icd_10.get(name)) | {"text": name if n == 1 else f"{name} (one of {n} that remain possible)"}
        for name in decision.set
    ]


def _device(answer: AnalysisAnswer) -> Element:
    """The service with the versions of its parts. Equal versions give the same identifier."""
    versions = {"service": answer.version} | {f"model {one.name}": one.version for one in answer.models}
    if answer.index is not None:
        versions[f"index {answer.index.name}"] = answer.index.built_at
    name = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([_NAME, versions], sort_keys=True))
    return {
        "resourceType": "Device",
        "language": _LANGUAGE,
        "identifier": [{"system": URI, "value": _urn(str(name))}],
        "status": "active",
        "deviceName": [{"name": _NAME, "type": "model-name"}],
        "type": concept("Software that analyses photos of skin", coding(SNOMED_CT, "706687001", "Software")),
        "version": [{"type": concept(part), "value": version} for part, version in versions.items()],
        "note": [{"text": answer.disclaimer}],
    }


def _meta(answer: AnalysisAnswer) -> Element:
    return {"security": [_BY_MACHINE, _MADE_UP] if answer.mock else [_BY_MACHINE]}


def _entry(url: str, resource: Element, **condition: str) -> FhirEntry:
    request = {"method": "POST", "url": resource["resourceType"], **condition}
    return FhirEntry(fullUrl=url, resource=resource, request=request)


def _url(answer: AnalysisAnswer, key: str) -> str:
    return _urn(str(uuid.uuid5(uuid.UUID(answer.analysis_id), key)))


def _urn(name: str) -> str:
    return f"urn:uuid:{name}"

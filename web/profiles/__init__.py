"""Response profiles: the answer in the format of another service or standard.

To add a profile, write its function and its model in a file of this folder, and add an entry to ``PROFILES``. The
operation at /api/analyze/skin/<name>, the value of the field ``profile`` and the OpenAPI document are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from web.answers import AnalysisAnswer
from web.profiles.autoderm import AutodermAnswer, autoderm
from web.profiles.fhir.report import MEDIA_TYPE, FhirBundle, fhir

#: the name of the service's own format, which is not a profile
OWN = "dermserve"


@dataclass(frozen=True)
class Profile:
    """One format.

    ``title`` is its name for people. ``render`` makes it from the finished answer, so that it cannot show anything that
    cosmetic mode removed. ``answer`` is the model that ``render`` returns. ``media_type`` is that of the answer's JSON.
    """

    title: str
    render: Callable[[AnalysisAnswer], BaseModel]
    answer: type[BaseModel]
    media_type: str = "application/json"


#: name → profile; the name is a part of an address
PROFILES: Mapping[str, Profile] = {
    "autoderm": Profile("Autoderm", autoderm, AutodermAnswer),
    "fhir": Profile("FHIR R4", fhir, FhirBundle, MEDIA_TYPE),
}

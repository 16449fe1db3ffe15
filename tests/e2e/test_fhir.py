"""The profile ``fhir`` of real analyses, for every kind of photo that code can make."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from skimage import data

from tests.e2e.server import ANALYZE, Server, skin_photo
from tests.fhir_rules import checked, observation

Resources = dict[str, list[dict[str, Any]]]


def encoded(pixels: Any, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def ask(server: Server, photo: bytes, language: str = "en", **fields: str) -> Resources:
    response = requests.post(
        f"{server.url}{ANALYZE}/fhir",
        files={"image": photo},
        data=fields,
        headers={"Accept-Language": language},
        timeout=120,
    )
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/fhir+json"
    resources = checked(response.json())
    assert resources["DiagnosticReport"][0]["language"] == language
    return resources


def kind_of(resources: Resources) -> str | None:
    told = observation(resources, "photo_kind").get("valueCodeableConcept")
    return told and told["coding"][0]["code"]


def names(resources: Resources) -> set[str]:
    return {one["code"]["coding"][0]["code"] for one in resources["Observation"]}


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_face(server: Server, language: str) -> None:
    resources = ask(server, encoded(data.astronaut()), language)
    assert kind_of(resources) == "face"
    assert observation(resources, "zone_redness_difference", "nose")["valueQuantity"]["unit"] == "a*"
    assert observation(resources, "lesion")["dataAbsentReason"]
    assert observation(resources, "skin_tone")["valueCodeableConcept"]


@pytest.mark.parametrize("kind", ["dermatoscopic", "lesion_close_up"])
def test_a_lesion(server: Server, kind: str) -> None:
    resources = ask(server, skin_photo(640, 480), modality=kind, pixels_per_mm="20")
    assert kind_of(resources) == kind
    assert "dataAbsentReason" not in observation(resources, "lesion")
    assert observation(resources, "lesion_diameter_mm")["valueQuantity"]["code"] == "mm"
    assert "conclusionCode" not in resources["DiagnosticReport"][0], "no disease is named from generated skin"


def test_other_skin(server: Server) -> None:
    resources = ask(server, skin_photo(640, 480), modality="close_up", detail="full")
    assert kind_of(resources) == "close_up"
    assert len(names(resources)) > 5
    assert observation(resources, "conditions")["dataAbsentReason"]["text"] == (
        "No condition is named: synthetic_index."
    )


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
def test_something_else(server: Server, name: str) -> None:
    resources = ask(server, encoded(getattr(data, name)()))
    assert observation(resources, "lesion")["dataAbsentReason"]
    assert observation(resources, "conditions")["dataAbsentReason"]


def test_a_photo_in_which_nothing_can_be_seen(server: Server) -> None:
    resources = ask(server, encoded(np.full((300, 300, 3), 90, np.uint8)))
    usable = observation(resources, "photo_quality")["component"][0]
    assert usable["valueBoolean"] is False
    measured = [one for one in resources["Observation"] if "bodySite" in one]
    assert all("dataAbsentReason" in one for one in measured)
    assert "dataAbsentReason" in observation(resources, "skin_tone")


def test_black_and_white(server: Server) -> None:
    resources = ask(server, encoded(data.astronaut(), "L"))
    assert "no_colour" in json.dumps(observation(resources, "photo_quality"))
    assert "dataAbsentReason" in observation(resources, "skin_tone")


def test_nothing_of_the_person_is_in_the_answer(server: Server) -> None:
    stated = {"age": "97.625", "sex": "female", "body_site": "lower extremity"}
    told = json.dumps(ask(server, skin_photo(), **stated))
    assert not [value for value in stated.values() if value in told]

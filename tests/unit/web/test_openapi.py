"""The document says what the code does: each limit, each word, each address, each status."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from settings import Settings
from web.errors import STATUS, BadFieldError, ImpossibleValueError
from web.fields import read_k, read_modality, read_patient, read_scale
from web.openapi import document
from web.openapi.fields import IMAGE_TYPES
from web.parsing import MAX_IMAGES
from web.photos import is_photo_name
from web.profiles import PROFILES

ANALYZE = "/api/analyze/skin"
KEY = "0123456789abcdef"

MakeClient = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document(Settings())


def query_schema(described: dict[str, Any], name: str) -> dict[str, Any]:
    parameters = described["paths"][ANALYZE]["post"]["parameters"]
    return next(one["schema"] for one in parameters if one.get("name") == name)


def validate(described: dict[str, Any], answer: object, name: str) -> None:
    """Check ``answer`` with the documented schema called ``name``."""
    Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": described["components"]}).validate(
        answer
    )


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(api_keys=(KEY,)), Settings(rate_limit="5/minute"), Settings(cosmetic_mode=True)],
    ids=["default", "keys", "limits", "cosmetic"],
)
def test_the_document_is_one(settings: Settings) -> None:
    described = document(settings)
    OpenAPIV31SpecValidator(described).validate()
    assert described["openapi"].startswith("3.1")


def test_every_address_is_documented(client: FlaskClient, described: dict[str, Any]) -> None:
    rules = {
        rule.rule.replace("<int:", "{").replace("<", "{").replace(">", "}")
        for rule in client.application.url_map.iter_rules()
    }
    pages = {"/", "/assets/{path:filename}"}
    assert rules - pages == set(described["paths"])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/models", "ModelsAnswer"),
        ("/api/conditions", "ConditionsAnswer"),
        ("/api/measures", "MeasuresAnswer"),
        ("/api/label", "LabelAnswer"),
        ("/health", "LiveAnswer"),
        ("/health/ready", "ReadyAnswer"),
        ("/api/cases/none/0", "ErrorAnswer"),
    ],
)
def test_answers_are_as_documented(client: FlaskClient, described: dict[str, Any], path: str, name: str) -> None:
    validate(described, client.get(path).get_json(), name)


def test_an_analysis_and_its_example_are_as_documented(
    client: FlaskClient, described: dict[str, Any], jpeg: bytes
) -> None:
    response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg")
    assert response.status_code == 200
    validate(described, response.get_json(), "AnalysisAnswer")
    content = described["paths"][ANALYZE]["post"]["responses"]["200"]["content"]["application/json"]
    validate(described, content["example"], "AnalysisAnswer")


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_each_profile_s_answer_is_documented(
    client: FlaskClient, described: dict[str, Any], jpeg: bytes, profile: str
) -> None:
    assert profile in query_schema(described, "profile")["enum"]
    response = client.post(f"{ANALYZE}?profile={profile}", data=jpeg, content_type="image/jpeg")
    assert response.status_code == 200
    documented = described["paths"][ANALYZE]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**documented, "components": described["components"]}).validate(response.get_json())


def test_each_error_of_an_analysis_has_its_documented_status() -> None:
    described = document(Settings(api_keys=(KEY,), rate_limit="5/minute"))
    responses = described["paths"][ANALYZE]["post"]["responses"]
    elsewhere = {404, 499}  # a thumbnail's; and one that nobody reads
    for status, code in STATUS.values():
        if status not in elsewhere:
            assert f"`{code}`" in responses[str(status)]["description"]
    assert "Retry-After" in responses["429"]["headers"]
    assert "Retry-After" in responses["503"]["headers"]
    assert all("X-Request-ID" in answer["headers"] for answer in responses.values())


def test_keys_and_limits_are_documented_where_they_are_set(described: dict[str, Any]) -> None:
    operation = described["paths"][ANALYZE]["post"]
    assert {"401", "429"}.isdisjoint(operation["responses"])
    assert "security" not in operation
    guarded = document(Settings(api_keys=(KEY,)))["paths"][ANALYZE]["post"]
    assert {"401", "429"} <= set(guarded["responses"])
    assert guarded["security"] == [{"bearer": []}, {"key": []}]
    assert KEY not in str(document(Settings(api_keys=(KEY,))))


@pytest.mark.parametrize(
    ("name", "read"), [("sex", read_patient), ("body_site", read_patient), ("modality", read_modality)]
)
def test_each_documented_word_is_understood_and_no_other(
    described: dict[str, Any], name: str, read: Callable[[dict[str, object]], object]
) -> None:
    words = query_schema(described, name)["enum"]
    assert len(words) >= 3
    for word in words:
        read({name: word})
    with pytest.raises((BadFieldError, ImpossibleValueError)):
        read({name: "no-such-word"})


def test_the_documented_scale_is_the_one_that_is_checked(described: dict[str, Any]) -> None:
    schema = query_schema(described, "pixels_per_mm")
    assert read_scale({"pixels_per_mm": schema["maximum"]}) == schema["maximum"]
    for outside in (schema["exclusiveMinimum"], schema["maximum"] + 0.001):
        with pytest.raises(BadFieldError):
            read_scale({"pixels_per_mm": outside})


@pytest.mark.parametrize(("name", "read", "step"), [("age", read_patient, 0.001), ("k", read_k, 1)])
def test_each_documented_limit_is_the_one_that_is_checked(
    described: dict[str, Any], name: str, read: Callable[[dict[str, object]], object], step: float
) -> None:
    schema = query_schema(described, name)
    for inside in (schema["minimum"], schema["maximum"]):
        read({name: inside})
    for outside in (schema["minimum"] - step, schema["maximum"] + step):
        with pytest.raises((BadFieldError, ImpossibleValueError)):
            read({name: outside})


def test_the_number_of_photos_is_the_one_that_is_checked(described: dict[str, Any]) -> None:
    body = described["paths"][ANALYZE]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert body["required"] == ["image"]
    assert is_photo_name("image")
    assert body["properties"]["image"]["maxItems"] == MAX_IMAGES


@pytest.mark.parametrize("media_type", IMAGE_TYPES)
def test_each_documented_media_type_is_read_as_a_photo(client: FlaskClient, jpeg: bytes, media_type: str) -> None:
    assert client.post(ANALYZE, data=jpeg, content_type=media_type).status_code == 200


@pytest.mark.parametrize("media_type", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_each_documented_form_takes_base64(
    client: FlaskClient, described: dict[str, Any], jpeg: bytes, media_type: str
) -> None:
    assert media_type in described["paths"][ANALYZE]["post"]["requestBody"]["content"]
    form = {"image": base64.b64encode(jpeg).decode(), "age": "54"}
    assert client.post(ANALYZE, data=form, content_type=media_type).status_code == 200

"""The document says what the code does: each limit, each word, each address, each status."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from web.errors import STATUS, BadFieldError, ImpossibleValueError
from web.openapi import IMAGE_TYPES
from web.photos import is_photo_name
from web.profiles import PROFILES
from web.requests import MAX_IMAGES, AnalyzeRequest, parse

ANALYZE = "/api/analyze/skin"
KEY = "0123456789abcdef"

MakeClient = Callable[..., FlaskClient]


def document(client: FlaskClient) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/api/openapi.json").get_json()
    return described


@pytest.fixture
def described(client: FlaskClient) -> dict[str, Any]:
    return document(client)


def ask(name: str, value: object) -> AnalyzeRequest:
    """The request of a photo with one field in the query."""
    found = parse(io.BytesIO(b"\xff\xd8\xff a photo"), "image/jpeg", {name: str(value)})
    assert isinstance(found, AnalyzeRequest)
    return found


def query_schema(described: dict[str, Any], name: str) -> dict[str, Any]:
    parameters = described["paths"][ANALYZE]["post"]["parameters"]
    return next(one["schema"] for one in parameters if one.get("name") == name)


def validate(described: dict[str, Any], answer: object, name: str) -> None:
    """Check ``answer`` with the documented schema called ``name``."""
    Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": described["components"]}).validate(
        answer
    )


@pytest.mark.parametrize("settings", [{}, {"api_keys": (KEY,)}, {"rate_limit": "5/minute"}, {"cosmetic_mode": True}])
def test_the_document_is_one(make_client: MakeClient, settings: dict[str, Any]) -> None:
    described = document(make_client(**settings))
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


def test_every_documented_field_is_in_every_answer(described: dict[str, Any]) -> None:
    for name, schema in described["components"]["schemas"].items():
        assert set(schema["required"]) == set(schema["properties"]), name


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_each_profile_s_answer_is_documented(
    client: FlaskClient, described: dict[str, Any], jpeg: bytes, profile: str
) -> None:
    assert profile in query_schema(described, "profile")["enum"]
    response = client.post(f"{ANALYZE}?profile={profile}", data=jpeg, content_type="image/jpeg")
    assert response.status_code == 200
    documented = described["paths"][ANALYZE]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**documented, "components": described["components"]}).validate(response.get_json())


def test_each_error_of_an_analysis_has_its_documented_status(make_client: MakeClient) -> None:
    described = document(make_client(api_keys=(KEY,), rate_limit="5/minute"))
    responses = described["paths"][ANALYZE]["post"]["responses"]
    elsewhere = {404, 499}  # a thumbnail's; and one that nobody reads
    for status, code in STATUS.values():
        if status not in elsewhere:
            assert f"`{code}`" in responses[str(status)]["description"]
    assert "Retry-After" in responses["429"]["headers"]
    assert "Retry-After" in responses["503"]["headers"]
    assert all("X-Request-ID" in answer["headers"] for answer in responses.values())


def test_keys_and_limits_are_documented_where_they_are_set(make_client: MakeClient, described: dict[str, Any]) -> None:
    operation = described["paths"][ANALYZE]["post"]
    assert {"401", "429"}.isdisjoint(operation["responses"])
    assert "security" not in operation
    with_keys = document(make_client(api_keys=(KEY,)))
    guarded = with_keys["paths"][ANALYZE]["post"]
    assert {"401", "429"} <= set(guarded["responses"])
    assert guarded["security"] == [{"bearer": []}, {"key": []}]
    assert KEY not in str(with_keys)


@pytest.mark.parametrize("name", ["sex", "body_site", "modality", "detail", "profile"])
def test_each_documented_word_is_understood_and_no_other(described: dict[str, Any], name: str) -> None:
    words = query_schema(described, name)["enum"]
    assert len(words) >= 2
    for word in words:
        ask(name, word)
    with pytest.raises((BadFieldError, ImpossibleValueError)):
        ask(name, "no-such-word")


def test_the_documented_scale_is_the_one_that_is_checked(described: dict[str, Any]) -> None:
    schema = query_schema(described, "pixels_per_mm")
    assert ask("pixels_per_mm", schema["maximum"]).pixels_per_mm == schema["maximum"]
    for outside in (schema["exclusiveMinimum"], schema["maximum"] + 0.001):
        with pytest.raises(BadFieldError):
            ask("pixels_per_mm", outside)


@pytest.mark.parametrize(("name", "step"), [("age", 0.001), ("k", 1)])
def test_each_documented_limit_is_the_one_that_is_checked(described: dict[str, Any], name: str, step: float) -> None:
    schema = query_schema(described, name)
    for inside in (schema["minimum"], schema["maximum"]):
        ask(name, inside)
    for outside in (schema["minimum"] - step, schema["maximum"] + step):
        with pytest.raises((BadFieldError, ImpossibleValueError)):
            ask(name, outside)


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

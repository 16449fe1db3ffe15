"""The document says what the code does: each limit, each word, each address, each status."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from web.errors import STATUS, BadFieldError, ImpossibleValueError
from web.openapi import IMAGE_TYPES, resolve
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
    return resolve(described, next(one["schema"] for one in parameters if one.get("name") == name))


def body(described: dict[str, Any], media_type: str, path: str = ANALYZE) -> dict[str, Any]:
    """The schema of the body of a request."""
    given = resolve(described, described["paths"][path]["post"]["requestBody"])
    return resolve(described, given["content"][media_type]["schema"])


def validate(described: dict[str, Any], answer: object, name: str) -> None:
    """Check ``answer`` with the documented schema called ``name``."""
    validate_schema(described, answer, {"$ref": f"#/components/schemas/{name}"})


def validate_schema(described: dict[str, Any], answer: object, schema: dict[str, Any]) -> None:
    Draft202012Validator({**schema, "components": described["components"]}).validate(answer)


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


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/docs"])
def test_all_workers_have_the_same_document(make_client: MakeClient, path: str) -> None:
    first, second = (make_client().get(path).data for _ in range(2))
    assert first == second


def test_an_analysis_and_its_example_are_as_documented(
    client: FlaskClient, described: dict[str, Any], jpeg: bytes
) -> None:
    response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg")
    assert response.status_code == 200
    validate(described, response.get_json(), "AnalysisAnswer")
    content = described["paths"][ANALYZE]["post"]["responses"]["200"]["content"]["application/json"]
    validate(described, content["example"], "AnalysisAnswer")


def test_every_property_is_described(described: dict[str, Any]) -> None:
    for name, schema in described["components"]["schemas"].items():
        assert schema.get("description"), name
        assert [one for one, field in schema.get("properties", {}).items() if not field.get("description")] == [], name


def test_a_field_that_may_be_left_out_says_when(described: dict[str, Any]) -> None:
    answers = {name: one for name, one in described["components"]["schemas"].items() if "Request" not in name}
    for name, schema in answers.items():
        for left_out in set(schema.get("properties", {})) - set(schema.get("required", [])):
            field = schema["properties"][left_out]
            nullable = {"type": "null"} in field.get("anyOf", [])
            assert nullable or "detail=" in field["description"], (name, left_out)
            assert "default" not in field, "generated types take a field with a default for one that is always there"


def test_full_detail_has_every_documented_field(described: dict[str, Any], client: FlaskClient, jpeg: bytes) -> None:
    full = client.post(ANALYZE, query_string={"detail": "full"}, data=jpeg, content_type="image/jpeg").get_json()
    schemas = described["components"]["schemas"]
    for name, part in {
        "AnalysisAnswer": full,
        "Tone": full["skin"]["tone"],
        "Measurement": full["skin"]["measurements"][0],
        "Condition": full["conditions"][0],
        "Lesion": full["lesion"],
        "SimilarCase": full["similar_cases"][0],
    }.items():
        assert set(part) == set(schemas[name]["properties"]), name


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_each_profile_s_answer_is_documented(
    client: FlaskClient, described: dict[str, Any], jpeg: bytes, profile: str
) -> None:
    address = f"{ANALYZE}/{profile}"
    response = client.post(address, data=jpeg, content_type="image/jpeg")
    assert response.status_code == 200
    content = described["paths"][address]["post"]["responses"]["200"]["content"]
    documented = content[response.mimetype]["schema"]
    validate_schema(described, response.get_json(), documented)


def test_each_error_of_an_analysis_has_its_documented_status(described: dict[str, Any]) -> None:
    given = described["paths"][ANALYZE]["post"]["responses"]
    responses = {status: resolve(described, answer) for status, answer in given.items()}
    elsewhere = {404, 499}  # a thumbnail's; and one that nobody reads
    for status, code in STATUS.values():
        if status not in elsewhere:
            assert f"`{code}`" in responses[str(status)]["description"]
    assert "Retry-After" in responses["429"]["headers"]
    assert "Retry-After" in responses["503"]["headers"]
    assert all("X-Request-ID" in answer["headers"] for answer in responses.values())


def test_each_operation_has_a_readable_id_and_one_answer(described: dict[str, Any]) -> None:
    operations = [one for methods in described["paths"].values() for one in methods.values()]
    assert sorted(one["operationId"] for one in operations) == sorted(
        [
            *("analyze_skin", "compare_skin", "run_selftest", *(f"analyze_skin_{name}" for name in PROFILES)),
            *("get_thumbnail", "list_models", "list_conditions", "list_measures", "get_label"),
            *("get_health", "get_readiness", "get_metrics", "get_openapi", "get_docs"),
        ]
    )
    tags = {tag["name"] for tag in described["tags"]}
    for one in operations:
        assert len(one["tags"]) == 1
        assert set(one["tags"]) <= tags
        assert one["summary"]
        for media in one["responses"]["200"]["content"].values():
            assert {"anyOf", "oneOf"}.isdisjoint(media.get("schema", {}))


def test_words_of_requests_are_schemas_without_duplicates(described: dict[str, Any]) -> None:
    for name in ("Sex", "BodySite", "StatedModality", "StatedReference", "RequestedDetail"):
        schema = described["components"]["schemas"][name]
        assert schema["description"]
        assert len({re.sub("[^a-z]", "", word) for word in schema["enum"]}) == len(schema["enum"])


def test_everything_that_a_client_may_send_is_described(described: dict[str, Any]) -> None:
    for methods in described["paths"].values():
        for operation in methods.values():
            for parameter in operation["parameters"]:
                assert resolve(described, parameter)["description"], parameter
    for given in described["components"]["requestBodies"].values():
        for media_type in set(given["content"]) - {"application/octet-stream"}:
            schema = resolve(described, given["content"][media_type]["schema"])
            assert all(field["description"] for field in schema["properties"].values())


def test_example_requests_can_be_sent(client: FlaskClient, described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        for given in (one["requestBody"] for one in methods.values() if "requestBody" in one):
            example = resolve(described, given)["content"]["application/json"]["example"]
            assert len(example) > 2
            assert client.post(path, json=example).status_code == 200


def test_example_answers_are_as_documented(described: dict[str, Any]) -> None:
    answers = [
        (path, status, resolve(described, answer).get("content", {}))
        for path, methods in described["paths"].items()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
    ]
    for path, status, content in answers:
        for media_type, media in content.items():
            if "json" not in media_type or path == "/api/openapi.json":
                continue
            examples = [one["value"] for one in media.get("examples", {}).values()] or [media["example"]]
            for example in examples:
                validate_schema(described, example, media["schema"])
                assert example.get("success", True) is (status == "200")


def test_what_a_client_may_keep_is_documented(client: FlaskClient, described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        if "get" in methods:
            kept = "ETag" in client.get(path.replace("{case_id}/{number}", "mock-1/0")).headers
            assert ("304" in methods["get"]["responses"]) is kept, path
            assert ("ETag" in methods["get"]["responses"]["200"]["headers"]) is kept, path


def test_translated_answers_say_so(client: FlaskClient, described: dict[str, Any], jpeg: bytes) -> None:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            sent = {"data": jpeg, "content_type": "image/jpeg"} if "skin" in path else {}
            answer = client.open(path.replace("{case_id}/{number}", "mock-1/0"), method=method, **sent)
            named = [resolve(described, one)["name"] for one in operation["parameters"]]
            assert ("Accept-Language" in named) is ("Content-Language" in answer.headers), path


def test_a_key_is_required_where_keys_are_set(make_client: MakeClient, described: dict[str, Any]) -> None:
    with_keys = document(make_client(api_keys=(KEY,), rate_limit="5/minute"))
    assert set(described["components"]["securitySchemes"]) == {"bearer", "key"}
    for path, methods in described["paths"].items():
        if "post" in methods:
            assert "security" not in methods["post"]
            assert with_keys["paths"][path]["post"]["security"] == [{"bearer": []}, {"key": []}]
    assert KEY not in str(with_keys)


def test_a_client_made_without_keys_knows_the_errors_of_a_service_with_keys(
    make_client: MakeClient, described: dict[str, Any]
) -> None:
    with_keys = document(make_client(api_keys=(KEY,), rate_limit="5/minute"))
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert set(operation["responses"]) == set(with_keys["paths"][path][method]["responses"])
            assert ({"401", "429"} <= set(operation["responses"])) is (method == "post")


@pytest.mark.parametrize("name", ["sex", "body_site", "modality", "reference", "detail"])
def test_each_documented_word_is_understood_and_no_other(described: dict[str, Any], name: str) -> None:
    words = query_schema(described, name)["enum"]
    assert len(words) >= 2
    for word in words:
        ask(name, word)
    with pytest.raises((BadFieldError, ImpossibleValueError)):
        ask(name, "no-such-word")


def test_the_documented_scale_is_the_one_that_is_checked(described: dict[str, Any]) -> None:
    schema = query_schema(described, "pixels_per_mm")
    for limit in (schema["minimum"], schema["maximum"]):
        assert ask("pixels_per_mm", limit).pixels_per_mm == limit
    for outside in (schema["minimum"] / 2, schema["maximum"] + 0.001):
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
    form = body(described, "multipart/form-data")
    assert form["required"] == ["image"]
    assert is_photo_name("image")
    assert form["properties"]["image"]["maxItems"] == MAX_IMAGES


@pytest.mark.parametrize("media_type", IMAGE_TYPES)
def test_each_documented_media_type_is_read_as_a_photo(client: FlaskClient, jpeg: bytes, media_type: str) -> None:
    assert client.post(ANALYZE, data=jpeg, content_type=media_type).status_code == 200


@pytest.mark.parametrize("media_type", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_each_documented_form_takes_base64(
    client: FlaskClient, described: dict[str, Any], jpeg: bytes, media_type: str
) -> None:
    assert body(described, media_type)["required"] == ["image"]
    form = {"image": base64.b64encode(jpeg).decode(), "age": "54"}
    assert client.post(ANALYZE, data=form, content_type=media_type).status_code == 200

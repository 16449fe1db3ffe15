"""What the page shows of an OpenAPI document, for the forms that such a document may have."""

from __future__ import annotations

from typing import Any

import pytest

from web.reference import Field, Reference

KIND = {"enum": ["face", "lesion"], "type": "string", "description": "A kind. `lesion`: one lesion."}
MANY = {"enum": [f"measure_{number}" for number in range(20)], "type": "string"}
ANSWER = {
    "type": "object",
    "properties": {
        "kind": {"$ref": "#/components/schemas/Kind"},
        "measures": {"type": "array", "items": {"$ref": "#/components/schemas/Many"}},
    },
}


def operation(name: str, **more: Any) -> dict[str, Any]:
    return {"operationId": name, "summary": "Do it", "responses": {"200": {"description": "Done."}}, **more}


def reference(**paths: dict[str, Any]) -> Reference:
    return Reference(
        {
            "paths": {f"/{name}": item for name, item in paths.items()},
            "components": {
                "schemas": {"Kind": KIND, "Many": MANY, "Answer": ANSWER, "ErrorAnswer": ANSWER, "Body": ANSWER},
                "parameters": {
                    "Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                    "Trace": {
                        "name": "X-Trace",
                        "in": "header",
                        "description": "A trace.",
                        "schema": {"type": "string"},
                    },
                },
                "responses": {
                    "Good": {
                        "description": "An answer.",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}},
                    },
                    "Bad": {"description": "An error."},
                },
                "examples": {"Short": {"value": {"kind": "face"}}},
            },
        }
    )


def test_shared_parts_are_found() -> None:
    found = reference(
        one={
            "post": operation(
                "one",
                parameters=[{"$ref": "#/components/parameters/Id"}, {"$ref": "#/components/parameters/Trace"}],
                responses={
                    "200": {"$ref": "#/components/responses/Good"},
                    "400": {"$ref": "#/components/responses/Bad"},
                },
            )
        }
    )
    one = found.operations["one"]
    assert one.fields == (Field("id", "path", True, {"type": "string"}, ""),)
    assert [(answer.status, answer.schema) for answer in one.answers] == [
        ("200", {"$ref": "#/components/schemas/Answer"})
    ]
    assert one.statuses == ("400",)
    assert [header["name"] for header in found.headers] == ["X-Trace"]


def test_a_field_is_described_by_itself_and_by_what_its_type_says_about_words() -> None:
    kind = {"$ref": "#/components/schemas/Kind"}
    form = {"properties": {"kind": kind, "other": {**kind, "description": "Another."}}, "required": ["kind"]}
    body = {"description": "A form.", "content": {"image/jpeg": {}, "multipart/form-data": {"schema": form}}}
    one = reference(one={"post": operation("one", requestBody=body)}).operations["one"]
    assert [(field.name, field.required, field.description) for field in one.fields] == [
        ("kind", True, "`lesion`: one lesion."),
        ("other", False, "Another. `lesion`: one lesion."),
    ]
    assert one.body == "A form."


def test_a_field_of_the_body_is_not_repeated_as_one_of_the_query() -> None:
    content = {"multipart/form-data": {"schema": {"properties": {"age": {"type": "number"}}}}}
    parameters = [{"name": name, "in": "query", "schema": {"type": "number"}} for name in ("age", "page")]
    one = reference(one={"post": operation("one", requestBody={"content": content}, parameters=parameters)})
    assert [(field.name, field.place) for field in one.operations["one"].fields] == [("age", "body"), ("page", "query")]


def test_an_operation_with_the_fields_of_another_refers_to_it() -> None:
    fields = {"parameters": [{"name": name, "in": "query", "schema": {"type": "number"}} for name in ("age", "k")]}
    found = reference(one={"post": operation("one", **fields)}, two={"post": operation("two", **fields)}).operations
    assert (found["one"].alike, len(found["one"].fields)) == (None, 2)
    assert (found["two"].alike, found["two"].fields) == ("one", ())


def test_errors_of_every_operation_are_told_once() -> None:
    statuses = {"one": ("200", "400", "500"), "two": ("200", "304", "500")}
    paths = {
        name: {"get": operation(name, responses={status: {"description": ""} for status in given})}
        for name, given in statuses.items()
    }
    found = reference(**paths)
    assert found.operations["two"].statuses == ("500",)
    assert found.common_statuses == ["500"]


@pytest.mark.parametrize(
    "media", [{"example": {"kind": "face"}}, {"examples": {"short": {"$ref": "#/components/examples/Short"}}}]
)
def test_an_example_is_found_in_either_form(media: dict[str, Any]) -> None:
    responses = {"200": {"description": "Done.", "content": {"application/json": media}}}
    (answer,) = reference(one={"get": operation("one", responses=responses)}).operations["one"].answers
    assert answer.example == {"kind": "face"}


def test_short_types_are_shown_where_they_are_used_and_long_ones_by_name() -> None:
    found = reference()
    for name in ("Many", "Answer"):
        assert found.inlined({"$ref": f"#/components/schemas/{name}"}) == {"$ref": f"#/components/schemas/{name}"}
    kind = {"$ref": "#/components/schemas/Kind"}
    assert found.inlined({**kind, "description": "Stated."}) == {**KIND, "description": "Stated."}
    assert found.inlined({"allOf": [kind]})["enum"] == KIND["enum"]


def test_objects_are_what_answers_are_made_of() -> None:
    responses = {"200": {"$ref": "#/components/responses/Good"}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}}
    found = reference(one={"post": operation("one", responses=responses, requestBody=body)})
    assert [*found.objects] == ["Answer", "ErrorAnswer", "Many"]

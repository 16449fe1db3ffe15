"""Two photos of the same skin: how they are sent, what is refused, and what the answer holds."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from web.openapi import resolve

COMPARE = "/api/compare/skin"

MakeClient = Callable[..., FlaskClient]


def form(jpeg: bytes, **fields: str) -> dict[str, Any]:
    return {"before": (io.BytesIO(jpeg), "1.jpg"), "after": (io.BytesIO(jpeg), "2.jpg"), **fields}


def in_json(jpeg: bytes, **fields: Any) -> dict[str, Any]:
    text = base64.b64encode(jpeg).decode()
    return {"before": text, "after": f"data:image/jpeg;base64,{text}", **fields}


def error(client: FlaskClient, **request: Any) -> tuple[int, dict[str, Any]]:
    response = client.post(COMPARE, **request)
    return response.status_code, response.get_json()["error"]


def test_two_photos_get_the_whole_answer(client: FlaskClient, jpeg: bytes) -> None:
    sent = form(jpeg, before_date="2026-01-31", after_date="2026-03-02")
    response = client.post(COMPARE, data=sent)
    answer = response.get_json()
    assert response.status_code == 200
    assert UUID(answer["comparison_id"]).version == 4
    assert answer["before"]["image"] == {"width": 96, "height": 64, "format": "JPEG"}
    assert (answer["before"]["date"], answer["after"]["date"]) == ("2026-01-31", "2026-03-02")
    assert answer["interval_days"] == 30
    assert "overlays" not in answer
    assert response.headers["Cache-Control"] == "no-store"


def test_the_answer_is_as_documented(client: FlaskClient, jpeg: bytes) -> None:
    described = client.get("/api/openapi.json").get_json()
    answer = client.post(COMPARE, data=form(jpeg, explain="true")).get_json()
    schema = {"$ref": "#/components/schemas/ComparisonAnswer", "components": described["components"]}
    Draft202012Validator(schema).validate(answer)
    assert set(answer["same_place"]) == {"verdict", "confidence", "method", "reasons"}


def test_both_photos_are_documented_in_each_form(client: FlaskClient) -> None:
    described = client.get("/api/openapi.json").get_json()
    operation = described["paths"][COMPARE]["post"]
    content = resolve(described, operation["requestBody"])["content"]
    assert set(content) == {"multipart/form-data", "application/json", "application/x-www-form-urlencoded"}
    schema = resolve(described, content["multipart/form-data"]["schema"])
    assert schema["required"] == ["before", "after"]
    assert schema["properties"]["before"]["format"] == "binary"
    assert {"before", "after"}.isdisjoint(one.get("name") for one in operation["parameters"])


def test_overlays_are_photos_of_one_size(client: FlaskClient, jpeg: bytes) -> None:
    overlays = client.post(COMPARE, data=form(jpeg, explain="true")).get_json()["overlays"]
    sizes = []
    for name in ("before", "after"):
        head, data = overlays[name].split(",")
        assert head == "data:image/jpeg;base64"
        sizes.append(cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR).shape)
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("body_form", ["multipart", "json", "form", "other_names", "dates_in_query"])
def test_each_request_form_is_read(client: FlaskClient, jpeg: bytes, body_form: str) -> None:
    text = base64.b64encode(jpeg).decode()
    requests: dict[str, dict[str, Any]] = {
        "multipart": {"data": form(jpeg, before_date="2026-01-31", after_date="2026-02-01T10:00:00Z")},
        "json": {"json": in_json(jpeg, beforeDate="2026-01-31", after_date="2026-02-01")},
        "form": {
            "data": {"before": text, "after": text, "before_date": "2026-01-31", "after_date": "2026-02-01"},
            "content_type": "application/x-www-form-urlencoded",
        },
        "other_names": {
            "data": {
                "before_photo": (io.BytesIO(jpeg), "1.jpg"),
                "afterImage": (io.BytesIO(jpeg), "2.jpg"),
                "before_date": "2026-01-31",
                "after_date": "2026-02-01",
            }
        },
        "dates_in_query": {
            "data": form(jpeg),
            "query_string": {"before_date": "2026-01-31", "after_date": "2026-02-01"},
        },
    }
    response = client.post(COMPARE, **requests[body_form])
    assert response.status_code == 200, response.get_json()
    assert response.get_json()["interval_days"] == 1


@pytest.mark.parametrize("missing", ["before", "after"])
def test_a_missing_photo_is_named(client: FlaskClient, jpeg: bytes, missing: str) -> None:
    sent = form(jpeg)
    del sent[missing]
    status, found = error(client, data=sent)
    assert (status, found["code"]) == (400, "no_image")
    assert f"no photo '{missing}'" in found["message"]


def test_one_photo_as_the_whole_body_is_refused(client: FlaskClient, jpeg: bytes) -> None:
    status, found = error(client, data=jpeg, content_type="image/jpeg")
    assert (status, found["code"]) == (400, "no_image")
    assert "Send two photos" in found["message"]


def test_two_photos_under_one_name_are_refused(client: FlaskClient, jpeg: bytes) -> None:
    text = base64.b64encode(jpeg).decode()
    status, found = error(client, json={"before": [text, text], "after": text})
    assert (status, found["code"], found["details"]["field"]) == (400, "bad_field", "before")


def test_a_damaged_photo_is_named(client: FlaskClient, jpeg: bytes) -> None:
    sent = form(jpeg) | {"after": (io.BytesIO(jpeg[: len(jpeg) // 2]), "2.jpg")}
    status, found = error(client, data=sent)
    assert (status, found["code"], found["details"]["photo"]) == (422, "damaged_image", "after")
    assert "'after'" in found["message"]


def test_a_large_body_is_refused(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(max_upload_mb=1)
    status, found = error(client, json=in_json(jpeg + bytes(2**20)))
    assert (status, found["code"]) == (413, "body_too_large")


def test_dates_in_the_wrong_order_are_refused(client: FlaskClient, jpeg: bytes) -> None:
    status, found = error(client, data=form(jpeg, before_date="2026-02-01", after_date="2026-01-31"))
    assert (status, found["code"], found["details"]["field"]) == (422, "impossible_value", "after_date")


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "31.01.2026"])
def test_a_date_that_is_none_is_refused(client: FlaskClient, jpeg: bytes, day: str) -> None:
    status, found = error(client, data=form(jpeg, before_date=day))
    assert (status, found["code"], found["details"]["field"]) == (400, "bad_field", "before_date")


def test_both_photos_on_one_day_are_no_days_apart(client: FlaskClient, jpeg: bytes) -> None:
    answer = client.post(COMPARE, json=in_json(jpeg, before_date="2026-01-31", after_date="2026-01-31")).get_json()
    assert answer["interval_days"] == 0
    assert client.post(COMPARE, json=in_json(jpeg)).get_json().get("interval_days") is None


def test_a_comparison_has_a_log_line_of_its_own(
    client: FlaskClient, jpeg: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client.post(COMPARE, data=form(jpeg))
    lines = [record.fields for record in caplog.records if record.getMessage() == "comparison"]
    assert [(line["status"], line["photos"]) for line in lines] == [(200, 2)]

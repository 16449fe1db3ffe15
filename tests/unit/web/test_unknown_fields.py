"""A field that the service does not know is named in the notes of the answer, and never in the log."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from web.requests import AnalyzeRequest, CompareRequest

ANALYZE, COMPARE = "/api/analyze/skin", "/api/compare/skin"
IGNORED = "is not known and was ignored."

MakeClient = Callable[..., FlaskClient]


def named(answer: dict[str, Any]) -> list[str]:
    """The notes about fields that are not known."""
    return [note for note in answer["notes"] if IGNORED in note]


def analyze(client: FlaskClient, jpeg: bytes, *, query: dict[str, str] | None = None, **fields: Any) -> list[str]:
    """The notes about a request with one photo in JSON."""
    body = {"image": base64.b64encode(jpeg).decode(), **fields}
    response = client.post(ANALYZE, json=body, query_string=query)
    assert response.status_code == 200
    return named(response.get_json())


def test_a_note_names_the_field_and_the_one_that_was_meant(client: FlaskClient, jpeg: bytes) -> None:
    assert analyze(client, jpeg, body_sight="arm", pixel_per_mm=4, favourite_colour="blue") == [
        f"The field 'body_sight' {IGNORED} Did you mean body_site?",
        f"The field 'pixel_per_mm' {IGNORED} Did you mean pixels_per_mm?",
        f"The field 'favourite_colour' {IGNORED}",
    ]


@pytest.mark.parametrize("sent", ["form", "urlencoded", "query", "nested", "nested text", "raw"])
def test_a_field_is_named_however_it_is_sent(sent: str, client: FlaskClient, jpeg: bytes) -> None:
    text = base64.b64encode(jpeg).decode()
    requests: dict[str, dict[str, Any]] = {
        "form": {"data": {"image": (io.BytesIO(jpeg), "1.jpg"), "bodySight": "arm"}},
        "urlencoded": {"data": {"image": text, "bodySight": "arm"}},
        "query": {"data": {"image": (io.BytesIO(jpeg), "1.jpg")}, "query_string": {"bodySight": "arm"}},
        "nested": {"json": {"image": text, "demographics": {"bodySight": "arm", "age": 3}}},
        "nested text": {"data": {"image": text, "user_parameters": json.dumps({"bodySight": "arm"})}},
        "raw": {"data": jpeg, "content_type": "image/jpeg", "query_string": {"bodySight": "arm"}},
    }
    answer = client.post(ANALYZE, **requests[sent]).get_json()
    assert named(answer) == [f"The field 'bodySight' {IGNORED} Did you mean body_site?"]


def test_a_field_is_named_once(client: FlaskClient, jpeg: bytes) -> None:
    assert len(analyze(client, jpeg, bodySight="arm", body_sight="arm", query={"Body-Sight": "leg"})) == 1


def test_known_fields_other_spellings_and_empty_fields_are_not_named(client: FlaskClient, jpeg: bytes) -> None:
    known = {
        **{"age": 40, "gender": "f", "Body-Site": "arm", "k": 2, "modality": "face", "pixelsPerMm": 4, "outline": True},
        **{"reference": "grey card", "reflectance": 0.2, "white_point": "#aaaaaa", "explain": False, "detail": "full"},
        **{"profile": "dermserve", "user_parameters": {"age": 3}, "user_demographics": {}, "demographics": {}},
        **{"photo": "undefined", "file_name": None, "device": "", "os": "null"},
    }
    assert analyze(client, jpeg, **known) == []


def test_every_field_of_a_request_is_known(client: FlaskClient, jpeg: bytes) -> None:
    for model, path in ((AnalyzeRequest, ANALYZE), (CompareRequest, COMPARE)):
        text = base64.b64encode(jpeg).decode()
        photos = {"image": text} if model is AnalyzeRequest else {"before": text, "after": text}
        for name in model.model_json_schema()["properties"]:
            response = client.post(path, json={name: "not a value", **photos})
            notes = response.get_json().get("notes", [])
            assert not any(IGNORED in note for note in notes), name


def test_a_photo_under_any_name_is_known_if_it_is_used(client: FlaskClient, jpeg: bytes) -> None:
    def notes(**parts: bytes) -> list[str]:
        form = {name: (io.BytesIO(data), "1.jpg") for name, data in parts.items()}
        return named(client.post(ANALYZE, data=form).get_json())

    assert notes(selfie=jpeg) == []
    assert notes(Image_2=jpeg, upload=jpeg) == []
    assert notes(image=jpeg, mask=jpeg) == [f"The field 'mask' {IGNORED}"]
    text = base64.b64encode(jpeg).decode()
    assert named(client.post(ANALYZE, json={"payload": {"b64": text}}).get_json()) == []


def test_a_comparison_names_them_too(client: FlaskClient, jpeg: bytes) -> None:
    text = base64.b64encode(jpeg).decode()
    photos = {"beforePhoto": text, "after_image": text}
    known = {"before_date": "2026-01-31", "modality": "face", "confirmed": True}
    assert named(client.post(COMPARE, json={**photos, **known}).get_json()) == []
    assert named(
        client.post(COMPARE, json={**photos, **known, "after_day": "2026-02-01", "image": text}).get_json()
    ) == [
        f"The field 'after_day' {IGNORED} Did you mean after_date?",
        f"The field 'image' {IGNORED}",
    ]


def test_cosmetic_mode_names_them_too(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(cosmetic_mode=True)
    assert len(analyze(client, jpeg, body_sight="arm")) == 1


@pytest.mark.parametrize("detail", ["summary", "standard", "full"])
def test_every_detail_has_the_notes(detail: str, client: FlaskClient, jpeg: bytes) -> None:
    assert len(analyze(client, jpeg, body_sight="arm", detail=detail)) == 1


def test_a_handful_is_named(client: FlaskClient, jpeg: bytes) -> None:
    body = {"image": base64.b64encode(jpeg).decode(), **{f"field {number}": 1 for number in range(5000)}}
    answer = client.post(ANALYZE, json=body).get_json()
    assert len(named(answer)) == 5
    assert answer["notes"][-1] == "Further fields are not known and were ignored."


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("<script>alert(1)</script>", "?script?alert?1???script?"),
        ("new\nline", "new?line"),
        ("größe", "größe"),
        ("a" * 10_000, "a" * 40),
        ("\u202egnp", "?gnp"),
    ],
)
def test_a_name_is_cut_and_cleaned(sent: str, shown: str, client: FlaskClient, jpeg: bytes) -> None:
    assert analyze(client, jpeg, **{sent: 1}) == [f"The field '{shown}' {IGNORED}"]


def test_no_name_is_logged(client: FlaskClient, jpeg: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        analyze(client, jpeg, name_of_the_patient="x")
    assert caplog.records
    assert not [record for record in caplog.records if "name_of_the_patient" in str(vars(record))]

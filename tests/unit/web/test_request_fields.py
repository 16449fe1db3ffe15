"""The fields beside the photos, in the forms in which clients send them."""

from __future__ import annotations

import base64
import io
import json

import pytest

from ml.analysis.routing import MODALITIES
from ml.skin.reference import Reference
from ml.values import Patient
from web.errors import BadFieldError, ImpossibleValueError, RequestError
from web.requests import DEFAULT_K, AnalyzeRequest, parse

PHOTO = base64.b64encode(b"\xff\xd8\xff\xe0 a photo").decode()
#: field → a value that it takes, as text
GIVEN = {
    "age": "43",
    "sex": "F",
    "body_site": "arm",
    "k": "3",
    "modality": "face",
    "pixels_per_mm": "9",
    "reference": "grey card",
    "white_point": "#b4b2ad",
    "reflectance": "0.5",
    "outline": "yes",
    "explain": "yes",
    "detail": "full",
    "profile": "autoderm",
}


def read(fields: dict[str, object], query: dict[str, str] | None = None) -> AnalyzeRequest:
    found = parse(io.BytesIO(json.dumps({**fields, "image": PHOTO}).encode()), "application/json", query or {})
    assert isinstance(found, AnalyzeRequest)
    return found


def refused(fields: dict[str, object]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read(fields)
    return caught.value


@pytest.mark.parametrize(
    ("fields", "patient"),
    [
        ({}, Patient()),
        ({"age": "", "sex": " ", "body_site": None}, Patient()),
        ({"age": 41}, Patient(age=41)),
        ({"age": "41.5"}, Patient(age=41.5)),
        ({"age": 0}, Patient(age=0)),
        ({"age": 120}, Patient(age=120)),
        ({"sex": "F"}, Patient(sex="female")),
        ({"sex": "woman"}, Patient(sex="female")),
        ({"gender": "Male"}, Patient(sex="male")),
        ({"sex": "mALE"}, Patient(sex="male")),
        ({"sex": "unknown"}, Patient()),
        ({"sex": "Other or unspecified"}, Patient()),
        ({"sex": "female", "gender": "male"}, Patient(sex="female")),
        ({"body_site": "Forearm"}, Patient(body_site="arm")),
        ({"body_site": "head_or_neck"}, Patient(body_site="head-or-neck")),
        ({"body_site": "Lower Extremity"}, Patient(body_site="leg-or-genital")),
        ({"body_site": "unknown"}, Patient(body_site="unknown")),
    ],
)
def test_what_is_known_of_the_person(fields: dict[str, object], patient: Patient) -> None:
    assert read(fields).patient == patient


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("nothing", ["undefined", "null", "None", " NULL ", "nil", "", None])
def test_a_word_for_nothing_is_no_value(name: str, nothing: str | None) -> None:
    assert read({name: nothing}) == read({})


@pytest.mark.parametrize("nothing", ["undefined", "null", "", None])
def test_a_word_for_nothing_hides_no_value(nothing: str | None) -> None:
    assert read({"age": nothing, "demographics": {"age": 30, "sex": nothing}}).patient == Patient(age=30)
    assert read({"demographics": nothing}) == read({})
    assert read({"sex": nothing, "gender": "f"}).patient == Patient(sex="female")
    assert read({"age": nothing}, {"age": "30"}).patient == Patient(age=30)


@pytest.mark.parametrize("name", GIVEN)
def test_each_field_may_stand_in_the_query_and_the_body_wins(name: str) -> None:
    given = GIVEN[name]
    assert read({}, {name: given}) == read({name: given}) != read({})
    assert read({name: given}, {name: "not this one"}) == read({name: given})


@pytest.mark.parametrize("name", ["body_site", "bodySite", "Body-Site", "BODY_SITE", " body site "])
def test_names_in_each_spelling(name: str) -> None:
    site = Patient(body_site="arm")
    assert read({name: "arm"}).patient == site
    assert read({"userDemographics": {name: "arm"}}).patient == site
    assert read({name: None, "demographics": {"body_site": "arm"}}).patient == site


def test_no_field_but_the_documented_ones_can_be_set() -> None:
    given = read({"patient": {"age": 3}, "model_config": {}, "is_capability": True})
    assert given.model_dump() == read({}).model_dump()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", -1),
        ("age", 121),
        ("age", "old"),
        ("age", float("nan")),
        ("age", "inf"),
        ("age", True),
        ("age", [40]),
        ("age", 10**400),
        ("sex", "x"),
        ("sex", 1),
        ("body_site", "moon"),
        ("body_site", 3),
    ],
)
def test_what_cannot_be_true_of_a_person_is_named(name: str, value: object) -> None:
    error = refused({name: value})
    assert isinstance(error, ImpossibleValueError)
    assert error.details["field"] == name
    assert error.message.startswith(name)


def test_a_refusal_names_the_documented_field() -> None:
    assert refused({"gender": "x"}).details == {"field": "sex", "allowed": ["female", "male", "unknown"]}


def test_a_refusal_repeats_nothing_of_the_request() -> None:
    error = refused({"age": "secret"})
    assert "secret" not in f"{error.message}{error.details}"
    assert error.__cause__ is None


@pytest.mark.parametrize(
    ("value", "detail"),
    [(None, "standard"), ("", "standard"), ("standard", "standard"), (" Full", "full"), ("thorough", "thorough")],
)
def test_detail(value: object, detail: str) -> None:
    assert read({"detail": value}).detail == detail


@pytest.mark.parametrize("value", ["everything", True, 1, ["full"]])
def test_an_unknown_detail_is_named(value: object) -> None:
    error = refused({"detail": value})
    assert isinstance(error, BadFieldError)
    assert error.message == "detail must be one of summary, standard, full, thorough."
    assert error.details == {"field": "detail", "allowed": ["summary", "standard", "full", "thorough"]}


@pytest.mark.parametrize(("value", "k"), [(None, DEFAULT_K), ("", DEFAULT_K), ("3", 3), ("3.0", 3), (50, 50), (7.0, 7)])
def test_k(value: object, k: int) -> None:
    assert read({"k": value}).k == k


@pytest.mark.parametrize("value", ["0", 51, "many", 2.5, True, [1], 10**400])
def test_a_bad_k_is_refused(value: object) -> None:
    error = refused({"k": value})
    assert isinstance(error, BadFieldError)
    assert error.message == "k must be a whole number from 1 to 50."


@pytest.mark.parametrize(
    ("stated", "modality"),
    [
        (None, None),
        ("", None),
        ("Dermoscopic", "dermatoscopic"),
        ("close up", "close_up"),
        ("Lesion-close-up", "lesion_close_up"),
        ("selfie", "face"),
    ],
)
def test_modality(stated: object, modality: str | None) -> None:
    assert read({"modality": stated}).modality == modality


@pytest.mark.parametrize("kind", MODALITIES)
def test_every_kind_that_the_analysis_knows_can_be_stated(kind: str) -> None:
    assert read({"modality": kind}).modality == kind


@pytest.mark.parametrize("stated", ["x-ray", 1, ["face"]])
def test_an_unknown_modality_is_refused(stated: object) -> None:
    error = refused({"modality": stated})
    assert isinstance(error, BadFieldError)
    assert error.details["allowed"] == sorted(MODALITIES)


@pytest.mark.parametrize(
    ("value", "explain"),
    [(None, False), (True, True), (1, True), ("yes", True), (" ON ", True), ("0", False), ("false", False)],
)
def test_explain(value: object, explain: bool) -> None:
    assert read({"explain": value}).explain is explain


@pytest.mark.parametrize("value", ["perhaps", 2, [True]])
def test_neither_yes_nor_no_is_refused(value: object) -> None:
    assert refused({"explain": value}).message == "explain must be true or false."


def test_demographics_may_be_an_object_or_its_text_and_what_stands_beside_them_wins() -> None:
    fields = {"demographics": '{"age": 30, "gender": "f"}', "user_demographics": {"body_site": "leg"}, "age": "31"}
    assert read(fields).patient == Patient(age=31, sex="female", body_site="leg-or-genital")


@pytest.mark.parametrize("value", ["{", "[]", '"x"', [1], 5, "[" * 100_000])
def test_demographics_that_cannot_be_read_are_refused(value: object) -> None:
    error = refused({"demographics": value})
    assert isinstance(error, BadFieldError)
    assert error.details == {"field": "demographics"}


@pytest.mark.parametrize(
    ("value", "scale"), [(None, None), ("", None), ("12.5", 12.5), (8, 8.0), (0.001, 0.001), (1000, 1000.0)]
)
def test_the_scale_of_a_photo(value: object, scale: float | None) -> None:
    assert read({"pixels_per_mm": value}).pixels_per_mm == scale


@pytest.mark.parametrize("value", [0, -3, "1e-40", 0.0009, "1001", "nan", "inf", "wide", True, [3]])
def test_an_impossible_scale_is_refused(value: object) -> None:
    error = refused({"pixels_per_mm": value})
    assert isinstance(error, BadFieldError)
    assert error.details == {"field": "pixels_per_mm"}


@pytest.mark.parametrize(
    ("fields", "reference"),
    [
        ({}, None),
        ({"reflectance": 0.5}, None),
        ({"reference": "Color Checker"}, Reference("colour_checker")),
        ({"reference": "gray-card"}, Reference("grey_card", 0.18)),
        ({"reference": "grey_card", "reflectance": "0.5"}, Reference("grey_card", 0.5)),
        ({"white_point": "#B4b2ad"}, Reference("white_point", 0.9, (180, 178, 173))),
        ({"whitePoint": "180, 178, 173", "reflectance": 0.18}, Reference("white_point", 0.18, (180, 178, 173))),
        ({"white_point": [180, 178, 173], "reference": "grey_card"}, Reference("white_point", 0.9, (180, 178, 173))),
    ],
)
def test_a_reference_in_the_photo(fields: dict[str, object], reference: Reference | None) -> None:
    assert read(fields).stated_reference == reference


@pytest.mark.parametrize(
    "fields",
    [
        {"reference": "ruler"},
        {"white_point": "grey"},
        {"white_point": "300,1,1"},
        {"white_point": "1,2"},
        {"white_point": 12},
        {"reflectance": 0},
        {"reflectance": 18},
    ],
)
def test_what_is_no_reference_is_refused(fields: dict[str, object]) -> None:
    error = refused(fields)
    assert isinstance(error, BadFieldError)
    assert next(iter(fields)) in str(error)

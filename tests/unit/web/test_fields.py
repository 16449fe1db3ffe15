from __future__ import annotations

import pytest

from ml.analysis.routing import MODALITIES
from ml.values import Patient
from web.errors import BadFieldError, ImpossibleValueError
from web.fields import (
    DEFAULT_K,
    flatten,
    read_detail,
    read_explain,
    read_k,
    read_modality,
    read_patient,
    read_profile,
    read_scale,
)


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
        ({"gender": "Male"}, Patient(sex="male")),
        ({"sex": "unknown"}, Patient()),
        ({"sex": "female", "gender": "male"}, Patient(sex="female")),
        ({"body_site": "Forearm"}, Patient(body_site="arm")),
        ({"body_site": "head_or_neck"}, Patient(body_site="head-or-neck")),
        ({"body_site": "unknown"}, Patient(body_site="unknown")),
    ],
)
def test_what_is_said_of_the_person(fields: dict[str, object], patient: Patient) -> None:
    assert read_patient(fields) == patient


_READERS = {
    "age": read_patient,
    "sex": read_patient,
    "body_site": read_patient,
    "k": read_k,
    "modality": read_modality,
    "pixels_per_mm": read_scale,
    "explain": read_explain,
    "detail": read_detail,
    "profile": read_profile,
}


@pytest.mark.parametrize("name", sorted(_READERS))
@pytest.mark.parametrize("nothing", ["undefined", "null", "None", " NULL ", "nil", "", None])
def test_a_word_for_nothing_is_no_value(name: str, nothing: str | None) -> None:
    read = _READERS[name]
    assert read({name: nothing}) == read({})


@pytest.mark.parametrize("nothing", ["undefined", "null", "", None])
def test_a_word_for_nothing_hides_no_value(nothing: str | None) -> None:
    assert read_patient(flatten({"age": nothing, "demographics": {"age": 30, "sex": nothing}})) == Patient(age=30)
    assert flatten({"demographics": nothing}) == {}
    assert read_patient({"sex": nothing, "gender": "f"}) == Patient(sex="female")


@pytest.mark.parametrize("name", ["body_site", "bodySite", "Body-Site", "BODY_SITE", " body site "])
def test_names_in_each_spelling(name: str) -> None:
    site = Patient(body_site="arm")
    assert read_patient(flatten({name: "arm"})) == site
    assert read_patient(flatten({"userDemographics": {name: "arm"}})) == site
    assert read_patient(flatten({name: None, "demographics": {"body_site": "arm"}})) == site


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
def test_what_cannot_be_true_is_named(name: str, value: object) -> None:
    with pytest.raises(ImpossibleValueError) as caught:
        read_patient({name: value})
    assert caught.value.details["field"] == name


@pytest.mark.parametrize(
    ("value", "detail"), [(None, "standard"), ("", "standard"), ("standard", "standard"), (" Full", "full")]
)
def test_detail(value: object, detail: str) -> None:
    assert read_detail({"detail": value}) == detail


@pytest.mark.parametrize("value", ["everything", True, 1, ["full"]])
def test_a_detail_that_is_not_known_is_named(value: object) -> None:
    with pytest.raises(BadFieldError, match="standard, full") as caught:
        read_detail({"detail": value})
    assert caught.value.details["field"] == "detail"


@pytest.mark.parametrize(("value", "k"), [(None, DEFAULT_K), ("", DEFAULT_K), ("3", 3), (50, 50), (7.0, 7)])
def test_k(value: object, k: int) -> None:
    assert read_k({"k": value}) == k


@pytest.mark.parametrize("value", ["0", 51, "many", 2.5, True, [1]])
def test_a_bad_k_is_refused(value: object) -> None:
    with pytest.raises(BadFieldError):
        read_k({"k": value})


@pytest.mark.parametrize(
    ("stated", "modality"),
    [(None, None), ("", None), ("Dermoscopic", "dermatoscopic"), ("close up", "close_up"), ("selfie", "face")],
)
def test_modality(stated: object, modality: str | None) -> None:
    assert read_modality({"modality": stated}) == modality


@pytest.mark.parametrize("kind", MODALITIES)
def test_every_kind_that_the_analysis_knows_can_be_stated(kind: str) -> None:
    assert read_modality({"modality": kind}) == kind


@pytest.mark.parametrize("stated", ["x-ray", 1, ["face"]])
def test_an_unknown_modality_is_refused(stated: object) -> None:
    with pytest.raises(BadFieldError):
        read_modality({"modality": stated})


def test_demographics_may_be_an_object_or_its_text_and_what_stands_beside_them_wins() -> None:
    fields = {"demographics": '{"age": 30, "gender": "f"}', "user_demographics": {"body_site": "leg"}, "age": "31"}
    assert read_patient(flatten(fields)) == Patient(age=31, sex="female", body_site="leg-or-genital")


@pytest.mark.parametrize("value", ["{", "[]", '"x"', [1], 5])
def test_demographics_that_cannot_be_read_are_refused(value: object) -> None:
    with pytest.raises(BadFieldError):
        flatten({"demographics": value})


@pytest.mark.parametrize(("value", "scale"), [(None, None), ("", None), ("12.5", 12.5), (8, 8.0), (1000, 1000.0)])
def test_a_photos_scale(value: object, scale: float | None) -> None:
    assert read_scale({"pixels_per_mm": value}) == scale


@pytest.mark.parametrize("value", [0, -3, "1001", "nan", "inf", "wide", True, [3]])
def test_an_impossible_scale_is_refused(value: object) -> None:
    with pytest.raises(BadFieldError) as refused:
        read_scale({"pixels_per_mm": value})
    assert refused.value.details["field"] == "pixels_per_mm"

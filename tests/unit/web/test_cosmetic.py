"""Cosmetic mode: nothing of a disease, anywhere in an answer, in any profile, also where something fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from ml import values
from ml.analysis.decision import NOT_CALIBRATED
from ml.analysis.pipeline import CaseRequest
from ml.deadline import Deadline
from ml.models.classifier import to_lesion
from ml.models.registry import SKLESION
from ml.skin.catalogue import CATALOGUE
from scin.dataset import icd_10_codes
from tests.unit.web.conftest import ANALYZE, FakeLoader
from web.cosmetic import without_diseases
from web.mock import MockAnalyzer

ICD_10 = re.compile(r"\b[A-Z]\d{2}\.\d")
LESIONS = SKLESION.lesion
assert LESIONS is not None
DISEASES = {name.lower() for name in (*icd_10_codes(), *(one.name for one in LESIONS.classes), "melanoma", "carcinoma")}


class Telling(MockAnalyzer):
    """An analysis in which every part speaks of a disease."""

    def analyze(self, request: Any, deadline: Any) -> values.Analysis:
        canned = super().analyze(request, deadline)
        condition = values.Condition("Psoriasis", "L40.9", 0.9, "high", ("mock-1",), 0.8, 0.7)
        lesion = values.Measurement("lesion_asymmetry", 0.4, "share", "of the melanoma", "lesion")
        spread = values.Measurement("melanin_index_difference", 12.0, "index", "how", "lesion_minus_surrounding")
        return replace(
            canned,
            conditions=(condition,),
            lesion=to_lesion("sklesion", LESIONS, np.full(7, 1 / 7, np.float32)),
            decision=values.Decision("answer", ("Psoriasis",), 0.9, group="all"),
            accuracy=values.Accuracy("all", "top-1", 0.4, (0.3, 0.5), 120, "SCIN"),
            skin=replace(canned.skin, measurements=(*canned.skin.measurements, lesion, spread)),
            similar_cases=tuple(
                replace(case, differential={"Psoriasis": 0.6, "Eczema": 0.4}) for case in canned.similar_cases
            ),
            notes=("The lesion classifier saw a melanoma (C43.9).",),
            overlays=(
                values.Overlay("lesion", "lesion", b"png", clinical=True),
                values.Overlay("lesion_class", "photo", b"png", deletion_score=0.5, clinical=True),
                values.Overlay("melanin", "skin", b"png"),
            ),
        )


def texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def telling(answer: object) -> list[str]:
    """The texts that name a disease or hold an ICD-10 code."""
    return [
        text
        for text in texts(answer)
        if ICD_10.search(text) or any(re.search(rf"\b{re.escape(name)}\b", text.lower()) for name in DISEASES)
    ]


@pytest.fixture
def loader() -> FakeLoader:
    return FakeLoader(analyze=Telling().analyze)


def post(client: FlaskClient, jpeg: bytes, **fields: str) -> Any:
    response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg", query_string=fields)
    return json.loads(response.data)


@pytest.mark.parametrize("fields", [{}, {"explain": "true"}, {"profile": "autoderm"}, {"modality": "dermatoscopic"}])
def test_no_answer_names_a_disease(
    make_client: Callable[..., FlaskClient], loader: FakeLoader, jpeg: bytes, fields: dict[str, str]
) -> None:
    told = post(make_client(loader), jpeg, **fields)
    assert telling(told), "the walk sees nothing where there is something to see"
    answer = post(make_client(loader, cosmetic_mode=True), jpeg, **fields)
    assert answer["success"] is True
    assert telling(answer) == []


def test_what_is_left_out_and_what_stays(
    make_client: Callable[..., FlaskClient], loader: FakeLoader, jpeg: bytes
) -> None:
    answer = post(make_client(loader, cosmetic_mode=True), jpeg, explain="true")
    assert not {"lesion", "accuracy"} & set(answer)
    assert (answer["conditions"], answer["notes"]) == ([], [])
    assert all(case["differential"] == {} for case in answer["similar_cases"])
    assert answer["decision"]["reasons"] == ["cosmetic_mode"]
    assert [overlay["name"] for overlay in answer["overlays"]] == ["melanin"]
    assert [one["name"] for one in answer["skin"]["measurements"]] == ["evenness"]
    assert answer["skin"]["tone"]["group"] == "light"
    assert len(answer["similar_cases"]) == 3


def test_all_measures_stay_but_the_clinical_ones() -> None:
    measured = tuple(measure.measurement(measure.regions[0], 1.0) for measure in CATALOGUE.values())
    analysis = MockAnalyzer().analyze(CaseRequest((), values.Patient(), None), Deadline(1))
    measured_skin = values.Skin(None, measured, (values.Zone("nose", (), measured),))
    skin = without_diseases(replace(analysis, skin=measured_skin)).skin
    for kept in (skin.measurements, *(zone.measurements for zone in skin.zones or ())):
        assert [one.name for one in kept] == [name for name, measure in CATALOGUE.items() if not measure.clinical]


def test_the_reasons_of_an_abstention_stay(make_client: Callable[..., FlaskClient], jpeg: bytes) -> None:
    class Abstaining(Telling):
        def analyze(self, request: Any, deadline: Any) -> values.Analysis:
            decision = values.Decision("abstain", reasons=(NOT_CALIBRATED,))
            return replace(super().analyze(request, deadline), decision=decision)

    answer = post(make_client(FakeLoader(analyze=Abstaining().analyze), cosmetic_mode=True), jpeg)
    assert answer["decision"]["reasons"] == ["not_calibrated", "cosmetic_mode"]


@pytest.mark.parametrize(
    "fields", [{"k": "0"}, {"modality": "x-ray"}, {"profile": "other"}, {"explain": "perhaps"}, {"body_site": "moon"}]
)
def test_no_refusal_names_a_disease(
    make_client: Callable[..., FlaskClient], loader: FakeLoader, jpeg: bytes, fields: dict[str, str]
) -> None:
    answer = post(make_client(loader, cosmetic_mode=True), jpeg, **fields)
    assert answer["success"] is False
    assert telling(answer) == []


def test_nothing_else_that_can_be_asked_names_a_disease(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(FakeLoader(analyze=Telling().analyze), cosmetic_mode=True)
    for path in ("/api/conditions", "/api/measures", "/api/models", "/health", "/health/ready", "/api/cases/none/0"):
        response = client.get(path)
        assert telling(response.get_json(silent=True)) == [], path

"""The profile ``fhir``: valid resources for every kind of photo, which say no more than the answer does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fhir.resources.R4B.bundle import Bundle
from flask.testing import FlaskClient

from ml import values
from ml.analysis.pipeline import CaseRequest
from ml.deadline import Deadline
from ml.models.classifier import to_lesion
from ml.models.registry import SKLESION
from ml.skin.catalogue import CATALOGUE
from ml.skin.quality import PROBLEMS
from tests.fhir_rules import checked, components, observation
from tests.unit.web.conftest import ANALYZE, FakeLoader
from tests.unit.web.test_cosmetic import Telling, telling
from web.answers import DISCLAIMER, render_analysis
from web.language import Language
from web.mock import MockAnalyzer
from web.profiles.fhir.elements import OWN_NAMES
from web.profiles.fhir.report import fhir
from web.wire import payload

Resources = dict[str, list[dict[str, Any]]]
PHOTO = values.Photo(np.zeros((4, 4, 3), np.uint8), 4, 4, "JPEG")
INDEX = values.IndexInfo("scin", "SCIN", False, 5033, 10408, 512, "2026-01-01T00:00:00+00:00", {})
EMPTY = values.Analysis(
    photos=(PHOTO,),
    quality=values.Quality(True, 81.4),
    modality=values.Modality("close_up", 0.812345, None),
    skin=values.Skin(None),
    conditions=(),
    lesion=None,
    decision=values.Decision("abstain", reasons=("not_calibrated",)),
    similar_cases=(),
    index=INDEX,
    models=(values.ModelCard("efficientnet-lite0", "0.1.0", "pytorch", "torch 2", "Apache-2.0"),),
)
CONDITIONS = (
    values.Condition("Eczema", "L30.9", 0.5, "high", ("1",), 0.612345, 0.5),
    values.Condition("Psoriasis", "L40.9", 0.4, "high", ("2",), 0.3, 0.5),
    values.Condition("Something else", None, 0.1, "unlikely", (), 0.05, None),
)
ASSERTED = replace(
    EMPTY,
    conditions=CONDITIONS,
    decision=values.Decision("set", ("Eczema", "Psoriasis"), 0.9, group="all"),
    accuracy=values.Accuracy("all", "top-1 accuracy", 0.412, (0.39, 0.43), 1000, "SCIN"),
)
TONE = values.Tone("It depends on the light.", "medium", ("light", "medium"))


def measured(name: str, value: float | None, uncertainty: float | None = None, region: str = "skin") -> Any:
    return CATALOGUE[name].measurement(region, value, uncertainty)


def lesion(**changed: Any) -> values.Lesion:
    assert SKLESION.lesion is not None
    return replace(to_lesion("sklesion", SKLESION.lesion, np.full(7, 1 / 7, np.float32)), **changed)


SCORED = replace(measured("lines", 4.2, 0.4), score=91.4, score_uncertainty=3.2)
FACE = replace(
    EMPTY,
    modality=values.Modality("face", 0.99, None),
    skin=values.Skin(
        TONE,
        (measured("evenness", 3.14159, 0.2718, "face"), measured("spot_count", 12.0, 2.6, "face")),
        (
            values.Zone(
                "nose",
                ((0.1, 0.1), (0.2, 0.2), (0.1, 0.2)),
                (measured("zone_redness_difference", -0.004, 0.9, "nose"),),
            ),
            values.Zone("forehead", ((0.1, 0.1), (0.2, 0.2), (0.1, 0.2))),
        ),
    ),
)
CLOSE_UP = replace(
    EMPTY,
    modality=values.Modality("lesion_close_up", None, "lesion_close_up"),
    lesion=lesion(input="phone", decision=values.LesionDecision("set", ("mel", "nv"), 0.9)),
    skin=values.Skin(
        TONE,
        (
            measured("lesion_diameter_mm", 6.2345, 0.51, "lesion"),
            measured("lesion_asymmetry", None, None, "lesion"),
            measured("redness_difference", 4.5678, 1.234, "lesion_minus_surrounding"),
        ),
    ),
)
#: kind of photo → an analysis of such a photo
KINDS: dict[str, values.Analysis] = {
    "face": FACE,
    "lesion close-up": CLOSE_UP,
    "unlike all lesions": replace(
        CLOSE_UP,
        lesion=lesion(
            predictions=(), sums=(), malignant_probability=None, decision=values.LesionDecision("none_of_these")
        ),
    ),
    "dermatoscopic": replace(CLOSE_UP, modality=values.Modality("dermatoscopic", 0.97, None), lesion=lesion()),
    "other skin": ASSERTED,
    "one condition": replace(ASSERTED, decision=values.Decision("answer", ("Something else",), 0.9)),
    "an abstention": replace(ASSERTED, decision=values.Decision("abstain", reasons=("unlike_index",))),
    "not skin": replace(
        EMPTY,
        modality=values.Modality("not_skin", 0.98, None),
        decision=values.Decision("abstain", reasons=("not_skin",)),
    ),
    "undetermined": replace(EMPTY, modality=values.Modality(None, None, None)),
    "unusable": replace(
        EMPTY,
        quality=values.Quality(False, 0.0, PROBLEMS, colours=False),
        decision=values.Decision("abstain", reasons=("unusable_photo",)),
    ),
    "black and white": replace(
        EMPTY,
        quality=values.Quality(True, 61.0, PROBLEMS[:1], colours=False),
        skin=values.Skin(values.Tone("The photo has no colours."), (measured("lines", 4.2, 0.4),)),
        decision=values.Decision("abstain", reasons=("no_colours",)),
    ),
    "with a colour reference": replace(
        EMPTY,
        skin=values.Skin(
            replace(
                TONE,
                reference="grey_card",
                ita_deg=31.234,
                ita_uncertainty_deg=4.56,
                fitzpatrick_estimate=3,
                fitzpatrick_range=(2, 4),
                monk_estimate=4,
                monk_range=(3, 5),
            )
        ),
    ),
}


def rendered(analysis: values.Analysis, **options: Any) -> Resources:
    answer = render_analysis(analysis, {}, **{"cosmetic": False, **options})
    return checked(json.loads(json.dumps(payload(fhir(answer)))))


def conclusion(resources: Resources) -> dict[str, Any]:
    return resources["DiagnosticReport"][0]


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("cosmetic", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_photo_gives_valid_resources(kind: str, language: str, cosmetic: bool) -> None:
    resources = rendered(KINDS[kind], language=Language(language), cosmetic=cosmetic)
    assert conclusion(resources)["language"] == language
    assert conclusion(resources)["conclusion"].endswith(DISCLAIMER)


def test_the_conclusion_has_the_sentences_of_the_summary_in_the_language_of_the_answer() -> None:
    summary = render_analysis(FACE, {}, cosmetic=False, language=Language("es")).summary
    lines = conclusion(rendered(FACE, language=Language("es")))["conclusion"].split("\n")
    assert lines == [
        *(summary.headline, *(one.text for one in summary.findings), summary.next_step, summary.limits, DISCLAIMER)
    ]


def test_a_set_gives_the_codes_of_its_conditions_and_says_that_each_is_one_of_several() -> None:
    found = conclusion(rendered(ASSERTED))["conclusionCode"]
    assert [one["coding"][0]["code"] for one in found] == ["L30.9", "L40.9"]
    assert [one["text"] for one in found] == [
        "Eczema (one of 2 that remain possible)",
        "Psoriasis (one of 2 that remain possible)",
    ]


def test_a_condition_without_a_code_has_its_name_alone() -> None:
    assert conclusion(rendered(KINDS["one condition"]))["conclusionCode"] == [{"text": "Something else"}]


@pytest.mark.parametrize("kind", [name for name, analysis in KINDS.items() if analysis.decision.kind == "abstain"])
def test_an_abstention_concludes_and_names_no_condition(kind: str) -> None:
    resources = rendered(KINDS[kind])
    assert "conclusionCode" not in conclusion(resources)
    told = observation(resources, "conditions")
    assert KINDS[kind].decision.reasons[0] in told["dataAbsentReason"]["text"]
    assert "component" not in told
    assert "Eczema" not in json.dumps(resources)


def test_conditions_are_observed_with_their_calibrated_probabilities() -> None:
    told = observation(rendered(ASSERTED), "conditions")
    assert told["valueString"] == "Possible: Eczema, Psoriasis"
    assert {name: value["value"] for name, value in components(told).items()} == {
        "Eczema": 0.612,
        "Psoriasis": 0.3,
        "Something else": 0.05,
    }
    said = " ".join(one["text"] for one in told["note"])
    assert "90%" in said
    assert "calibrated" in said
    assert "0.41 (95% interval 0.39 to 0.43) on 1000 cases of SCIN" in said


def test_a_lesion_has_the_probability_of_each_class_and_the_caveat() -> None:
    told = observation(rendered(CLOSE_UP), "lesion")
    assert told["valueString"] == "Possible: Melanoma, Melanocytic nevus"
    assert sum(components(told)[one.name]["value"] for one in lesion().predictions) == pytest.approx(1, abs=0.01)
    assert told["note"][-1]["text"] == lesion().caveat
    (melanoma,) = (one for one in told["component"] if one["code"]["text"] == "Melanoma")
    assert [one["code"] for one in melanoma["code"]["coding"]] == ["mel", "C43.9"]


def test_a_lesion_unlike_the_known_ones_has_no_probabilities() -> None:
    told = observation(rendered(KINDS["unlike all lesions"]), "lesion")
    assert told["valueString"].startswith("None of the kinds")
    assert components(told) == {}


def test_a_measurement_has_its_unit_site_method_and_uncertainty() -> None:
    told = observation(rendered(CLOSE_UP), "lesion_diameter_mm")
    assert told["valueQuantity"] == {"value": 6.23, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}
    assert components(told)["Uncertainty"]["value"] == 0.51
    assert told["bodySite"] == {"text": "lesion"}
    assert told["method"] == {"text": CATALOGUE["lesion_diameter_mm"].method}


def test_a_zone_of_a_face_is_the_site_of_its_measurement() -> None:
    told = observation(rendered(FACE), "zone_redness_difference", "nose")
    assert told["valueQuantity"] == {"value": 0.0, "unit": "a*"}, "a colour distance has no code in UCUM"


def test_a_score_says_where_the_value_lies_among_others() -> None:
    told = observation(rendered(replace(EMPTY, skin=values.Skin(TONE, (SCORED,)))), "lines")
    (score,) = (one for one in told["component"] if one["code"]["coding"][0]["code"] == "score")
    assert score["valueQuantity"]["value"] == 91.4
    assert score["interpretation"] == [{"text": "higher than usual"}]


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("lesion close-up", "lesion_asymmetry", "unknown"),
        ("black and white", "skin_tone", "unknown"),
        ("undetermined", "photo_kind", "unknown"),
        ("not skin", "skin_tone", "not-performed"),
        ("not skin", "skin_measurements", "not-performed"),
        ("unusable", "skin_measurements", "not-performed"),
        ("unusable", "lesion", "not-performed"),
        ("face", "lesion", "not-performed"),
    ],
)
def test_what_was_not_measured_has_a_reason(kind: str, name: str, code: str) -> None:
    reason = observation(rendered(KINDS[kind]), name)["dataAbsentReason"]
    assert reason["coding"][0]["code"] == code
    assert reason["text"].endswith(".")


def test_the_problems_of_a_photo_are_observed_with_their_advice() -> None:
    told = observation(rendered(KINDS["unusable"]), "photo_quality")
    named = [one["valueCodeableConcept"] for one in told["component"] if "valueCodeableConcept" in one]
    assert [(one["coding"][0]["code"], one["text"]) for one in named] == [(one.code, one.message) for one in PROBLEMS]
    assert [one["text"] for one in told["note"]] == [one.advice for one in PROBLEMS]


def test_types_of_skin_need_a_colour_reference() -> None:
    typed = components(observation(rendered(KINDS["with a colour reference"]), "skin_tone"))
    assert typed["Individual typology angle"]["value"] == 31.2
    assert typed["Fitzpatrick skin type, estimated"] == 3
    without = replace(TONE, ita_deg=31.2, fitzpatrick_estimate=3, monk_estimate=4)
    assert components(observation(rendered(replace(EMPTY, skin=values.Skin(without))), "skin_tone")) == {}


def test_the_device_names_the_versions_of_service_models_and_index() -> None:
    (device,) = rendered(FACE)["Device"]
    assert {one["type"]["text"]: one["value"] for one in device["version"]}.keys() == {
        "service",
        "model efficientnet-lite0",
        "index scin",
    }
    assert rendered(CLOSE_UP)["Device"] == [device], "the same software is the same device"
    newer = replace(FACE, models=(replace(FACE.models[0], version="9"),))
    assert rendered(newer)["Device"][0]["identifier"] != device["identifier"]


def test_a_canned_answer_is_labelled_as_test_data() -> None:
    def labels(**options: bool) -> list[set[str]]:
        resources = rendered(ASSERTED, **options)
        return [
            {label["code"] for label in one["meta"]["security"]}
            for one in (*resources["DiagnosticReport"], *resources["Observation"])
        ]

    assert all(found == {"AIAST", "HTEST"} for found in labels(mock=True))
    assert all(found == {"AIAST"} for found in labels())


def test_in_cosmetic_mode_nothing_names_a_disease() -> None:
    analysis = Telling().analyze(CaseRequest((PHOTO,), values.Patient(), None), Deadline(1))
    assert telling(rendered(analysis))
    resources = rendered(analysis, cosmetic=True)
    assert telling(resources) == []
    assert "conclusionCode" not in conclusion(resources)
    names = {one["code"]["coding"][0]["code"] for one in resources["Observation"]}
    assert names == {"photo_kind", "photo_quality", "skin_tone", "evenness"}


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    class Asserting(MockAnalyzer):
        def analyze(self, request: Any, deadline: Any) -> values.Analysis:
            return ASSERTED

    return make_client(FakeLoader(analyze=Asserting().analyze))


@pytest.mark.parametrize("address", [f"{ANALYZE}/fhir", f"{ANALYZE}?profile=fhir"])
def test_the_service_answers_with_the_media_type_of_fhir(client: FlaskClient, jpeg: bytes, address: str) -> None:
    response = client.post(address, data=jpeg, content_type="image/jpeg", headers={"Accept-Language": "es"})
    assert (response.status_code, response.mimetype) == (200, "application/fhir+json")
    assert conclusion(checked(json.loads(response.data)))["language"] == "es"


def test_an_error_is_the_one_of_the_service(client: FlaskClient) -> None:
    response = client.post(f"{ANALYZE}/fhir", data=b"no photo", content_type="image/jpeg")
    assert (response.status_code, response.mimetype) == (415, "application/json")
    assert response.get_json()["error"]["code"]


PAGE = Path("docs/methods/fhir.md").read_text(encoding="utf-8")


def shape(value: Any, name: str = "") -> Any:
    """``value`` without what differs between two photos: numbers, sentences, times and ids."""
    if isinstance(value, dict):
        return {key: shape(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return value if name in ("resourceType", "system", "code", "unit", "status", "display") else type(value)


def test_the_documented_example_is_what_the_service_answers() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    made = observation(rendered(CLOSE_UP), "lesion_diameter_mm")
    assert shape(json.loads(example)) == shape(made)


def test_the_documentation_names_every_observation_and_component() -> None:
    named = {
        code["code"]
        for analysis in (*KINDS.values(), replace(EMPTY, skin=values.Skin(TONE, (SCORED,))))
        for one in rendered(analysis)["Observation"]
        for concept in (one["code"], *(part["code"] for part in one.get("component", [])))
        for code in concept.get("coding", [])
        if code["system"] == OWN_NAMES
    }
    classes = {one.code for one in lesion().predictions}
    assert {f"`{name}`" for name in named - classes - set(CATALOGUE)} <= set(re.findall(r"`[^`\n]+`", PAGE))


def test_the_documented_way_to_store_it_gives_a_valid_transaction() -> None:
    bundle = payload(fhir(render_analysis(CLOSE_UP, {}, cosmetic=False)))
    (loop,) = re.findall(r"^for entry in.*?(?=^requests)", PAGE, re.DOTALL | re.MULTILINE)
    exec(loop, {"bundle": bundle})
    subjects = [entry["resource"].get("subject") for entry in Bundle.model_validate(bundle).model_dump()["entry"]]
    assert subjects == [{"reference": "Patient/123"}] * (len(subjects) - 1) + [None]

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ml import values
from ml.deadline import Deadline
from ml.skin.catalogue import CATALOGUE
from web.answers import render_analysis
from web.language import Language
from web.mock import MockAnalyzer
from web.wire import Detail, payload

ICD, DISEASE = "L30.9", "Eczema"
CLOSE_UP = values.Modality("close_up", 0.9, None)


class Case:
    photos = (values.Photo(np.zeros((4, 6, 3), np.uint8), 6, 4, "PNG"),)
    modality = None
    k = 2


@pytest.fixture
def analysis() -> values.Analysis:
    canned = MockAnalyzer().analyze(Case(), Deadline(1))
    return replace(
        canned,
        conditions=(values.Condition(DISEASE, ICD, 0.7, "high", ("1",), 0.6, 0.5),),
        decision=values.Decision("answer", (DISEASE,), 0.9, group="Monk 1–4"),
        accuracy=values.Accuracy("Monk 1–4", "top-1", 0.4, (0.3, 0.5), 120, "somebody"),
        overlays=(
            values.Overlay("lesion", "lesion", b"png", clinical=True),
            values.Overlay("lesion_class", "photo", b"png", deletion_score=0.25, clinical=True),
            values.Overlay("skin_mask", "skin", b"png"),
        ),
        similar_cases=tuple(replace(case, differential={DISEASE: 1.0}) for case in canned.similar_cases),
        lesion=replace(
            canned.lesion,
            predictions=(values.Prediction("mel", "Melanoma", "C43.9", 0.75),),
            raw_predictions=(values.Prediction("mel", "Melanoma", "C43.9", 1.0),),
        ),
        index=replace(canned.index, attribution={"dataset": "somebody"}),
        notes=(),
    )


def wire(analysis: values.Analysis, **options: bool) -> dict:
    return json.loads(render_analysis(analysis, {"total": 1.26}, **{"cosmetic": False, **options}).model_dump_json())


def test_the_answer_says_what_the_analysis_says(analysis: values.Analysis) -> None:
    answer = wire(analysis)
    assert answer["success"] is True
    assert answer["conditions"] == [
        {
            "name": DISEASE,
            "lay_name": "eczema",
            "link": "https://medlineplus.gov/eczema.html",
            "urgency": "ordinary",
            "icd_10": ICD,
            "probability": 0.7,
            "band": "high",
            "evidence": ["1"],
            "calibrated_probability": 0.6,
            "agreement": 0.5,
        }
    ]
    assert answer["decision"] == {
        "kind": "answer",
        "set": [DISEASE],
        "coverage": 0.9,
        "reasons": [],
        "group": "Monk 1–4",
    }
    assert answer["lesion"]["predictions"][0]["code"] == "mel"
    assert answer["similar_cases"][0]["thumbnail"] == "/api/cases/mock-1/0"
    assert answer["attribution"] == {"dataset": "somebody"}
    assert answer["accuracy"] == {
        "group": "Monk 1–4",
        "metric": "top-1",
        "value": 0.4,
        "interval": [0.3, 0.5],
        "n": 120,
        "dataset": "somebody",
    }
    assert answer["overlays"][1] == {
        "name": "lesion_class",
        "region": "photo",
        "media_type": "image/png",
        "data_base64": "cG5n",
        "deletion_score": 0.25,
    }
    assert answer["timings_ms"] == {"total": 1.3}


def test_cosmetic_mode_names_no_disease(analysis: values.Analysis) -> None:
    answer = wire(analysis, cosmetic=True)
    assert (answer["lesion"], answer["conditions"]) == (None, [])
    assert (answer["accuracy"], answer["accuracy_reason"]) == (None, "cosmetic_mode")
    assert answer["decision"] == {
        "kind": "abstain",
        "set": [],
        "coverage": None,
        "reasons": ["cosmetic_mode"],
        "group": None,
    }
    assert [overlay["name"] for overlay in answer["overlays"]] == ["skin_mask"]
    assert [case["differential"] for case in answer["similar_cases"]] == [{}, {}]
    text = json.dumps(answer)
    assert all(word not in text for word in (DISEASE, ICD, "Melanoma", "C43.9"))


def test_a_synthetic_index_stays_an_abstention_and_is_labelled(analysis: values.Analysis) -> None:
    synthetic = replace(
        analysis,
        conditions=(),
        decision=values.Decision("abstain", reasons=("synthetic_index",)),
        index=replace(analysis.index, synthetic=True),
    )
    for cosmetic in (False, True):
        answer = wire(synthetic, cosmetic=cosmetic)
        assert answer["conditions"] == []
        assert answer["decision"]["kind"] == "abstain"
        assert "synthetic_index" in answer["decision"]["reasons"]
        assert all(case["demonstration"] for case in answer["similar_cases"])
        assert answer["index"]["synthetic"] is True
        assert any("generated" in note for note in answer["notes"])


@pytest.mark.parametrize("number", [float("nan"), float("inf"), np.float32("nan"), None])
def test_what_is_no_number_is_null(number: float | None, analysis: values.Analysis) -> None:
    measurement = values.Measurement("lines", number, "%", "how", "skin", uncertainty=number, score=number)
    answer = wire(replace(analysis, skin=values.Skin(None, (measurement,), None)))
    assert answer["skin"] == {
        "tone": None,
        "measurements": [
            {
                "name": "lines",
                "label": "Lines",
                "direction": "more lines",
                "value": None,
                "unit": "%",
                "score": None,
                "grade": None,
                "score_uncertainty": None,
                "method": "how",
                "region": "skin",
                "uncertainty": None,
            }
        ],
        "zones": None,
    }


def test_numpy_numbers_become_plain_ones(analysis: values.Analysis) -> None:
    measurement = values.Measurement("lines", np.float32(0.5), "%", "how", "skin")
    answer = wire(replace(analysis, skin=values.Skin(None, (measurement,), ())))
    assert answer["skin"]["measurements"][0]["value"] == 0.5
    assert answer["skin"]["zones"] == []


def test_the_first_thumbnail_is_the_cases_picture(analysis: values.Analysis) -> None:
    case = analysis.similar_cases[0]
    cases = (replace(case, thumbnails=("/a", "/b")), replace(case, thumbnails=()))
    answer = wire(replace(analysis, similar_cases=cases))
    assert [one["thumbnail"] for one in answer["similar_cases"]] == ["/a", None]
    assert [one["thumbnails"] for one in answer["similar_cases"]] == [["/a", "/b"], []]


def test_without_an_index_there_is_nothing_similar(analysis: values.Analysis) -> None:
    answer = wire(replace(analysis, index=None, similar_cases=(), lesion=None))
    assert (answer["index"], answer["attribution"], answer["similar_cases"], answer["lesion"]) == (None, {}, [], None)


def shown(analysis: values.Analysis, detail: Detail) -> dict[str, Any]:
    return payload(render_analysis(analysis, {}, cosmetic=False), detail)


def test_the_raw_output_of_the_lesion_model_is_there_only_in_full_detail(analysis: values.Analysis) -> None:
    assert "raw_predictions" not in shown(analysis, "standard")["lesion"]
    assert [(one["code"], one["probability"]) for one in shown(analysis, "full")["lesion"]["raw_predictions"]] == [
        ("mel", 1.0)
    ]


def test_a_summary_has_what_people_read_and_the_decision(analysis: values.Analysis) -> None:
    assert list(shown(analysis, "summary")) == [
        *("success", "analysis_id", "timestamp", "version", "mock", "language", "summary", "quality", "modality"),
        *("decision", "notes", "disclaimer"),
    ]


def test_a_standard_answer_leaves_out_what_is_null_and_what_the_catalogue_says(analysis: values.Analysis) -> None:
    measurement = values.Measurement("lines", 8.8215, "%", "how", "skin")
    case = replace(analysis, skin=values.Skin(None, (measurement,), ()), lesion=None, index=None)
    standard, full = shown(case, "standard"), shown(case, "full")
    assert standard["skin"]["measurements"] == [
        {"name": "lines", "label": "Lines", "value": 8.822, "unit": "%", "region": "skin"}
    ]
    assert not {"lesion", "index"} & set(standard)
    assert (full["lesion"], full["index"], full["skin"]["tone"]) == (None, None, None)
    assert full["skin"]["measurements"][0]["value"] == 8.8215


def test_zones_have_outlines_on_request(analysis: values.Analysis) -> None:
    def zone(**options: bool) -> dict[str, Any]:
        found: dict[str, Any] = payload(render_analysis(analysis, {}, cosmetic=False, **options))["skin"]["zones"][0]
        return found

    assert zone(outlines=True)["polygon"] == [[0.2, 0.2], [0.8, 0.2], [0.8, 0.4], [0.2, 0.4]]
    assert "polygon" not in zone(outlines=False)


@pytest.mark.parametrize(
    ("value", "uncertainty", "rounded"),
    [
        (10.6651, 7.1, (10.7, 7.1)),
        (1.73801, 0.47194, (1.74, 0.47)),
        (123.4, 35.2, (123.0, 35.0)),
        (0.012345, 0.00212, (0.0123, 0.0021)),
        (-48.76, 0.0, (-48.76, 0.0)),
        (0.0, None, (0.0, None)),
    ],
)
def test_a_value_is_rounded_to_what_its_uncertainty_supports(
    analysis: values.Analysis, value: float, uncertainty: float | None, rounded: tuple[float, float | None]
) -> None:
    measurement = values.Measurement("lines", value, "%", "how", "skin", uncertainty)
    found = shown(replace(analysis, skin=values.Skin(None, (measurement,), ())), "standard")["skin"]["measurements"][0]
    assert (found["value"], found.get("uncertainty")) == rounded


def found(answer: Any, path: str) -> Any:
    """What a finding's basis leads to. Elements of a list are addressed by their name or code."""
    for step in path.split("."):
        if isinstance(answer, list):
            answer = next(one for one in answer if step in (one.get("name"), one.get("code")))
        elif step in answer:
            answer = answer[step]
        else:  # a measurement of a zone
            answer = next(one for one in answer["measurements"] if one["name"] == step)
    return answer


def test_each_finding_leads_to_the_field_that_it_comes_from(analysis: values.Analysis) -> None:
    redder = CATALOGUE["zone_redness_difference"].measurement("nose", 6.0, 3.4)
    darker = CATALOGUE["lightness_difference"].measurement("lesion_minus_surrounding", -20.0, 8.0)
    skin = replace(analysis.skin, measurements=(darker,), zones=(values.Zone("nose", (), (redder,)),))
    case = replace(analysis, skin=skin, lesion=replace(analysis.lesion, predictions=()), modality=CLOSE_UP)
    with_lesion = replace(analysis, lesion=MockAnalyzer().analyze(Case(), Deadline(1)).lesion)
    paths = {}
    for one in (case, with_lesion):
        answer = wire(one)
        paths |= {finding["basis"]: found(answer, finding["basis"]) for finding in answer["summary"]["findings"]}
    assert paths["skin.measurements.lightness_difference"]["value"] == -20.0
    assert paths["skin.zones.nose.zone_redness_difference"]["value"] == 6.0
    assert paths["decision.set"] == [DISEASE]
    assert paths["lesion.sums.cancer"]["probability"] == 0.3


def test_names_for_people_are_in_the_answers_language(analysis: values.Analysis) -> None:
    answer = render_analysis(analysis, {}, cosmetic=False, language=Language("es"))
    assert (answer.language, answer.conditions[0].lay_name) == ("es", "eccema")
    assert "un melanoma" in answer.summary.headline

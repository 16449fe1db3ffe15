from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ml import values
from ml.deadline import Deadline
from web.answers import render_analysis
from web.mock import MockAnalyzer

ICD, DISEASE = "L30.9", "Eczema"


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


def test_the_raw_output_of_the_lesion_model_is_there_only_in_full_detail(analysis: values.Analysis) -> None:
    standard = render_analysis(analysis, {}, cosmetic=False).lesion
    full = render_analysis(analysis, {}, cosmetic=False, full=True).lesion
    assert standard is not None
    assert full is not None
    assert standard.raw_predictions is None
    assert [(one.code, one.probability) for one in full.raw_predictions or ()] == [("mel", 1.0)]
    assert standard == full.model_copy(update={"raw_predictions": None})


def test_full_detail_names_no_disease_in_cosmetic_mode(analysis: values.Analysis) -> None:
    text = render_analysis(analysis, {}, cosmetic=True, full=True).model_dump_json()
    assert "Melanoma" not in text

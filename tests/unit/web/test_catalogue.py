"""What the service says of itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from ml.models.registry import SPECS
from ml.skin.catalogue import CATALOGUE
from ml.skin.declaration import Evidence
from scin.dataset import icd_10_codes

ROOT = Path(__file__).resolve().parents[3]

MakeClient = Callable[..., FlaskClient]


def test_models_come_with_card_licence_and_digests(make_client: MakeClient) -> None:
    models = {model["name"]: model for model in make_client().get("/api/models").get_json()["models"]}
    phone = models.pop("phone-lesions")
    assert "PAD-UFES-20" in phone["card"]
    assert "CC BY 4.0" in phone["licence"]
    assert re.fullmatch(r"[0-9a-f]{64}", phone["files"]["phone_lesions.json"])
    assert set(models) == {"efficientnet-lite0", "sklesion", "mediapipe-face"}
    for name, model in models.items():
        spec = SPECS[name]
        assert (model["licence"], model["version"]) == (spec.licence, spec.version)
        assert model["card"] == spec.read_card()
        assert model["files"] == {}, "none was fetched into this folder"


@pytest.mark.models
def test_digests_are_those_of_the_fetched_files(make_client: MakeClient) -> None:
    models = make_client(var=ROOT / "var").get("/api/models").get_json()["models"]
    for model in (one for one in models if one["name"] in SPECS):
        assert re.fullmatch(r"[0-9a-f]{64}", model["fingerprint"])
        assert model["files"]
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in model["files"].values())
        pinned = set(SPECS[model["name"]].source.files.values())
        assert pinned <= set(model["files"].values())


def test_models_that_take_no_part_are_not_named(make_client: MakeClient) -> None:
    names = [model["name"] for model in make_client(faces=False).get("/api/models").get_json()["models"]]
    assert names == ["efficientnet-lite0", "sklesion", "phone-lesions"]
    mock = make_client(use_mock_services=True, flask_env="testing")
    assert mock.get("/api/models").get_json()["models"] == []


def test_conditions_have_names_and_codes(client: FlaskClient) -> None:
    conditions = client.get("/api/conditions").get_json()["conditions"]
    coded = {one["name"].casefold(): one["icd_10"] for one in conditions if "icd_10" in one}
    assert coded == {name.casefold(): code for name, code in icd_10_codes().items()}
    assert all(re.fullmatch(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?", code) for code in coded.values())


def test_each_condition_is_listed_once_whatever_its_capitals(client: FlaskClient) -> None:
    names = [one["name"].casefold() for one in client.get("/api/conditions").get_json()["conditions"]]
    assert len(names) == len(set(names))
    assert names == sorted(names)


def test_conditions_are_explained_in_words_for_people(client: FlaskClient) -> None:
    def mole(language: str) -> dict[str, str]:
        answer = client.get("/api/conditions", headers={"Accept-Language": language})
        assert answer.headers["Content-Language"] == language
        found: dict[str, str] = next(
            one for one in answer.get_json()["conditions"] if one["name"] == "Melanocytic Nevus"
        )
        return found

    english = mole("en")
    assert (english["lay_name"], english["urgency"]) == ("a mole", "ordinary")
    assert english["link"] == "https://medlineplus.gov/moles.html"
    assert "show one that changes" in english["about"]
    assert mole("es")["lay_name"] == "un lunar"


def test_cosmetic_mode_names_no_disease(make_client: MakeClient) -> None:
    client = make_client(cosmetic_mode=True)
    answer = client.get("/api/conditions")
    assert (answer.status_code, answer.get_json()["conditions"]) == (200, [])
    models = {model["name"]: model for model in client.get("/api/models").get_json()["models"]}
    for name in ("sklesion", "phone-lesions"):
        assert not {"card", "output"} & set(models[name])
    label = client.get("/api/label")
    assert (label.get_json()["cosmetic_mode"], "lesion" in label.text) == (True, False)
    document = client.get("/api/openapi.json").text
    assert not [name for name in ("Eczema", "melanoma", "L30.9") if name in document]


def test_every_measure_is_listed_with_what_is_known_of_it(client: FlaskClient) -> None:
    measures = {one["name"]: one for one in client.get("/api/measures").get_json()["measures"]}
    assert list(measures) == list(CATALOGUE)
    evenness = measures["evenness"]
    assert (evenness["label"], evenness["unit"], evenness["direction"]) == ("Evenness of tone", "L*", "less even")
    assert (evenness["scored"], evenness["clinical"], evenness["regions"]) == (True, False, ["skin", "face", "zone"])


def rounded(evidence: Evidence) -> dict[str, Any]:
    """What is known, as an answer has it."""
    return {
        name: [round(one, 3) for one in value] if isinstance(value, tuple) else round(value, 3)
        for name, value in asdict(evidence).items()
        if value is not None
    }


def test_a_measure_comes_with_its_evidence(client: FlaskClient) -> None:
    for one in client.get("/api/measures").get_json()["measures"]:
        assert set(one["standard_regions"]) <= set(one["regions"])
        assert list(one["evidence"]) == one["regions"]
        for region, evidence in one["evidence"].items():
            known = CATALOGUE[one["name"]].evidence[region]
            assert evidence == (None if known is None else rounded(known))


def test_cosmetic_mode_lists_no_clinical_measure(make_client: MakeClient) -> None:
    answer = make_client(cosmetic_mode=True).get("/api/measures").get_json()
    assert {one["name"] for one in answer["measures"]} == {one.name for one in CATALOGUE.values() if not one.clinical}
    assert answer["cosmetic_mode"] is True


def test_the_label_tells_the_limits_that_are_set(make_client: MakeClient) -> None:
    label = make_client(max_upload_mb=3, rate_limit="9/minute", max_pixels=2000).get("/api/label").get_json()
    assert label["intended_use"]
    assert label["out_of_scope"]
    limits = label["limits"]
    assert (limits["max_request_bytes"], limits["rate_limit"]) == (3 * 2**20, "9/minute")
    assert limits["max_pixels"] == limits["max_pixels_not_jpeg"] == 2000
    assert limits["key_required"] is False

"""The client's models are those of the service's document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dermserve.answer import Answer
from dermserve.models import AnalysisAnswer
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator

from deploy.client_models import MODELS, models
from tests.unit.client.scripted_service import ANSWER, SUMMARY


@pytest.fixture
def described(client: FlaskClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/api/openapi.json").get_json()
    return document


def test_the_models_are_those_that_the_generator_makes(described: dict[str, Any]) -> None:
    assert MODELS.read_text(encoding="utf-8") == models(described), "run: make client-models"


@pytest.mark.parametrize("answer", [ANSWER, SUMMARY], ids=["standard", "summary"])
def test_the_answers_of_these_tests_are_like_the_services(described: dict[str, Any], answer: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/AnalysisAnswer", "components": described["components"]}
    Draft202012Validator(schema).validate(answer)


@pytest.mark.parametrize("detail", ["summary", "standard", "full"])
def test_every_field_of_an_answer_has_a_model(
    make_client: Callable[..., FlaskClient], jpeg: bytes, detail: str
) -> None:
    service = make_client(use_mock_services=True, flask_env="development")
    body = service.post(f"/api/analyze/skin?detail={detail}", data=jpeg, content_type="image/jpeg").get_json()
    answer = AnalysisAnswer.of(body)
    assert list(_unknown(answer)) == []
    assert answer.model_dump(mode="json", exclude_unset=True) == body


def _unknown(part: object) -> Iterator[str]:
    """The names of the fields that have no place in a model."""
    if isinstance(part, Answer):
        yield from part.model_extra or {}
        yield from _unknown(list(dict(part).values()))
    elif isinstance(part, list):
        for one in part:
            yield from _unknown(one)

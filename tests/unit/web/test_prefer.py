"""A client that asks for an asynchronous answer gets a synchronous one: see decision 0043."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

ANALYZE = "/api/analyze/skin"


@pytest.mark.parametrize("preference", ["respond-async", "respond-async, wait=10", "return=minimal", "nonsense;=,"])
def test_the_answer_comes_with_the_request(preference: str, client: FlaskClient, jpeg: bytes) -> None:
    response = client.post(ANALYZE, data=jpeg, content_type="image/jpeg", headers={"Prefer": preference})
    assert response.status_code == 200
    assert response.get_json()["success"] is True
    assert "Location" not in response.headers
    assert "Preference-Applied" not in response.headers


def test_a_refusal_is_one_at_once(client: FlaskClient) -> None:
    response = client.post(ANALYZE, data=b"", headers={"Prefer": "respond-async"})
    assert (response.status_code, response.get_json()["error"]["code"]) == (400, "no_image")

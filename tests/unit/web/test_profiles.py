"""The answer in another service's shape, as its documents give it and as its own client reads it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from autoderm.client import AutodermClient
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from ml import values
from tests.unit.web.conftest import ANALYZE, FakeLoader
from web.mock import MockAnalyzer
from web.profiles import OWN, PROFILES

CONDITIONS = (
    values.Condition("Eczema", "L30.9", 0.5, "high", ("mock-1",), 0.3, 0.5),
    values.Condition("Psoriasis", "L40.9", 0.4, "high", ("mock-2",), 0.6, 0.5),
    *(values.Condition(f"Rare {number}", None, 0.02, "unlikely", ("mock-3",), 0.02, None) for number in range(5)),
)


def loader(**changed: Any) -> FakeLoader:
    class Changed(MockAnalyzer):
        def analyze(self, request: Any, deadline: Any) -> values.Analysis:
            usual = {
                "conditions": CONDITIONS,
                "decision": values.Decision("set", ("Psoriasis", "Eczema"), 0.9, group="all"),
            }
            return replace(super().analyze(request, deadline), **{**usual, **changed})

    return FakeLoader(analyze=Changed().analyze)


def autoderm(client: FlaskClient, jpeg: bytes) -> Any:
    response = client.post(f"{ANALYZE}/autoderm", data=jpeg, content_type="image/jpeg")
    assert response.status_code == 200
    return json.loads(response.data)


def test_an_answer_in_autoderms_shape(make_client: Callable[..., FlaskClient], jpeg: bytes) -> None:
    answer = autoderm(make_client(loader()), jpeg)
    assert (answer["success"], answer["message"]) == (True, "completed")
    assert answer["id"]
    assert answer["predictions"][:2] == [
        {"disease": "Psoriasis", "name": "Psoriasis", "confidence": 0.6, "icd_10": "L40.9", "icd": "L40.9"},
        {"disease": "Eczema", "name": "Eczema", "confidence": 0.3, "icd_10": "L30.9", "icd": "L30.9"},
    ]
    assert len(answer["predictions"]) == 5
    assert answer["skin_tone"] == {"fitzpatrick": None, "confidence": None}
    assert answer["decision"]["set"] == ["Psoriasis", "Eczema"]


def test_where_the_analysis_abstains_nothing_is_predicted(make_client: Callable[..., FlaskClient], jpeg: bytes) -> None:
    decision = values.Decision("abstain", reasons=("unlike_index",))
    answer = autoderm(make_client(loader(decision=decision)), jpeg)
    assert (answer["success"], answer["predictions"]) == (True, [])
    assert answer["message"] == "no answer: unlike_index"


def test_a_photo_that_is_not_of_skin(make_client: Callable[..., FlaskClient], jpeg: bytes) -> None:
    decision = values.Decision("abstain", reasons=("not_skin", "not_calibrated"))
    answer = autoderm(make_client(loader(decision=decision)), jpeg)
    assert (answer["success"], answer["message"]) == (False, "picture is not of skin")
    assert (answer["id"], answer["predictions"]) == ("", [])
    assert answer["decision"]["reasons"] == ["not_skin", "not_calibrated"]


def test_the_profile_may_be_a_field(make_client: Callable[..., FlaskClient], jpeg: bytes) -> None:
    answer = make_client(loader()).post(ANALYZE, data={"file": (io.BytesIO(jpeg), "x.jpg"), "profile": "Autoderm"}).json
    assert answer["predictions"][0]["disease"] == "Psoriasis"


def test_the_address_decides_before_a_field(make_client: Callable[..., FlaskClient], jpeg: bytes) -> None:
    client = make_client(loader())
    answer = client.post(f"{ANALYZE}/autoderm?profile=dermserve", data=jpeg, content_type="image/jpeg").get_json()
    assert answer["predictions"][0]["disease"] == "Psoriasis"


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_profile_states_its_media_type(client: FlaskClient, jpeg: bytes, profile: str) -> None:
    expected = PROFILES[profile].media_type
    for address in (f"{ANALYZE}/{profile}", f"{ANALYZE}?profile={profile}"):
        assert client.post(address, data=jpeg, content_type="image/jpeg").mimetype == expected


def test_an_unknown_profile_is_refused(make_client: Callable[..., FlaskClient], jpeg: bytes) -> None:
    response = make_client(loader()).post(f"{ANALYZE}?profile=other", data=jpeg, content_type="image/jpeg")
    assert response.status_code == 400
    assert response.get_json()["error"]["details"]["allowed"] == sorted([OWN, *PROFILES])


@pytest.fixture
def listening(make_client: Callable[..., FlaskClient]) -> Iterator[Callable[[FakeLoader], str]]:
    """A loader → the address of a service with it, that other programs can reach."""
    servers = []

    def listen(wanted: FakeLoader) -> str:
        server = make_server("127.0.0.1", 0, make_client(wanted).application, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield listen
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def sdk(address: str) -> AutodermClient:
    """Its own client. It adds a path to the endpoint, which the last parameter here takes in."""
    return AutodermClient(api_key="none", endpoint=f"{address}{ANALYZE}/autoderm?path=", max_retries=0)


def test_its_own_client_reads_the_answer(listening: Callable[[FakeLoader], str], jpeg: bytes) -> None:
    predictions = sdk(listening(loader())).query(jpeg)
    assert [one["disease"] for one in predictions][:2] == ["Psoriasis", "Eczema"]
    assert all(0 <= one["confidence"] <= 1 for one in predictions)


def test_its_own_client_reads_that_it_is_no_skin(listening: Callable[[FakeLoader], str], jpeg: bytes) -> None:
    decision = values.Decision("abstain", reasons=("not_skin",))
    assert sdk(listening(loader(decision=decision))).query(jpeg) == []

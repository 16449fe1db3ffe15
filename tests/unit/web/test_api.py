from __future__ import annotations

import base64
import io
import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from PIL import Image

from ml import values
from ml.deadline import Deadline
from ml.values import Analysis
from tests.waiting import wait_until
from web.answers.service import CapabilityPart
from web.gate import Gate
from web.mock import MockAnalyzer
from web.profiles import PROFILES

ANALYZE = "/api/analyze/skin"
CAPABILITY = {"test": "ml_capability"}
#: the requests for a self-test: at its own address, and the specification's
SELF_TESTS: list[dict[str, Any]] = [{"path": "/api/selftest"}, {"path": ANALYZE, "json": CAPABILITY}]

MakeClient = Callable[..., FlaskClient]

ANSWER_KEYS = [
    "success",
    "analysis_id",
    "timestamp",
    "version",
    "mock",
    "language",
    "summary",
    "image",
    "quality",
    "modality",
    "skin",
    "conditions",
    "lesion",
    "decision",
    "accuracy",
    "accuracy_reason",
    "similar_cases",
    "overlays",
    "attribution",
    "models",
    "index",
    "notes",
    "timings_ms",
    "disclaimer",
]


def events(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [record.fields for record in caplog.records if record.getMessage() == event]


def test_a_photo_gets_the_whole_answer(client: FlaskClient, jpeg: bytes) -> None:
    response = client.post(ANALYZE, data={"image": (io.BytesIO(jpeg), "skin.jpg"), "k": "2", "detail": "full"})
    answer = response.get_json()
    assert response.status_code == 200
    assert list(answer) == ANSWER_KEYS
    assert UUID(answer["analysis_id"]).version == 4
    assert datetime.fromisoformat(answer["timestamp"]).utcoffset().total_seconds() == 0
    assert answer["image"] == {
        "width": 96,
        "height": 64,
        "format": "JPEG",
        "views": [{"width": 96, "height": 64, "format": "JPEG"}],
    }
    assert len(answer["similar_cases"]) == 2
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-ID"]


@pytest.mark.parametrize("form", ["multipart", "json", "data_url", "raw", "multipart_as_json", "junk"])
def test_each_request_form_reaches_the_analyzer_as_the_same_case(
    form: str, make_client: MakeClient, fake_loader: Any, jpeg: bytes
) -> None:
    seen = []
    canned = fake_loader().analyze
    client = make_client(fake_loader(analyze=lambda case, deadline: seen.append(case) or canned(case, deadline)))
    text = base64.b64encode(jpeg).decode()
    boundary = b"--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n"
    requests = {
        "multipart": {"data": {"image": (io.BytesIO(jpeg), "a.jpg")}},
        "json": {"json": {"image": text}},
        "data_url": {"json": {"image_data": f"data:image/jpeg;base64,{text}"}},
        "raw": {"data": jpeg, "content_type": "image/jpeg"},
        "multipart_as_json": {"data": boundary + jpeg + b"\r\n--x--\r\n", "content_type": "application/json"},
        "junk": {"data": b"u" * 15 + jpeg, "content_type": "image/jpeg"},
    }
    response = client.post(f"{ANALYZE}?age=50&body_site=back&sex=m&modality=clinical", **requests[form])
    assert response.status_code == 200, response.text
    (case,) = seen
    assert (case.patient, case.modality, case.k) == (values.Patient(50, "male", "trunk"), "close_up", 5)
    assert [photo.rgb.shape for photo in case.photos] == [(64, 96, 3)]


def test_three_views_make_one_case(client: FlaskClient, jpeg: bytes) -> None:
    response = client.post(ANALYZE, data={"image": [(io.BytesIO(jpeg), f"{n}.jpg") for n in range(3)]})
    assert len(response.get_json()["image"]["views"]) == 3


@pytest.mark.parametrize("given", ["abc-1", "0af7651916cd43dd8448eb211c80319c", "a:b.c_d"])
def test_a_sane_request_id_is_kept(client: FlaskClient, given: str) -> None:
    assert client.get("/health", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", "ü"])
def test_any_other_is_replaced(client: FlaskClient, given: str) -> None:
    found = client.get("/health", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert found != given
    assert found.isalnum()


@pytest.mark.parametrize("ask", SELF_TESTS)
def test_the_capability_test_reports_each_part(make_client: MakeClient, fake_loader: Any, ask: dict[str, Any]) -> None:
    part = CapabilityPart(name="pytorch", ok=True, version="2", model="m 1", ms=12.345, reason=None)
    response = make_client(fake_loader(parts=(part,))).post(**ask)
    assert response.status_code == 200
    assert response.get_json() == {"success": True, "parts": [part.model_dump() | {"ms": 12.3}]}


@pytest.mark.parametrize("ask", SELF_TESTS)
def test_a_failed_part_fails_the_capability_test(
    make_client: MakeClient, fake_loader: Any, ask: dict[str, Any]
) -> None:
    bad = CapabilityPart(name="faiss", ok=False, version=None, model=None, ms=None, reason="no index")
    response = make_client(fake_loader(parts=(bad,))).post(**ask)
    assert response.status_code == 503
    assert response.get_json() == {"success": False, "parts": [bad.model_dump()]}


def test_the_capability_test_keeps_to_the_clients_time(make_client: MakeClient, fake_loader: Any) -> None:
    def take_too_long(deadline: Deadline) -> None:
        raise deadline.exceeded("native models")

    client = make_client(fake_loader(test_parts=take_too_long))
    response = client.post(ANALYZE, json=CAPABILITY, headers={"X-Request-Timeout": "30"})
    assert response.status_code == 504
    assert response.get_json()["error"]["details"] == {"stage": "native models", "limit_s": 30.0}


def test_a_capability_test_that_does_not_end_says_that_the_instance_is_busy(
    make_client: MakeClient, fake_loader: Any
) -> None:
    def take_too_long(deadline: Deadline) -> None:
        assert deadline.remaining() <= 110
        raise deadline.exceeded("native models")

    response = make_client(fake_loader(test_parts=take_too_long)).post(ANALYZE, json=CAPABILITY)
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "busy")
    assert response.headers["Retry-After"] == "60"


def test_thumbnails_are_served(client: FlaskClient) -> None:
    response = client.get("/api/cases/mock-1/0")
    assert (response.status_code, response.mimetype) == (200, "image/webp")
    assert Image.open(io.BytesIO(response.data)).format == "WEBP"


def test_a_thumbnail_is_plain_bytes_for_those_who_ask_for_them(client: FlaskClient) -> None:
    response = client.get("/api/cases/mock-1/0", headers={"Accept": "application/octet-stream"})
    assert (response.mimetype, response.headers["Vary"]) == ("application/octet-stream", "Accept")
    for_browsers = client.get("/api/cases/mock-1/0", headers={"Accept": "image/avif,image/webp,*/*;q=0.8"})
    assert (for_browsers.mimetype, for_browsers.data) == ("image/webp", response.data)


def test_mock_answers_are_marked(make_client: MakeClient, jpeg: bytes) -> None:
    client = make_client(use_mock_services=True, flask_env="development")
    answer = client.post(ANALYZE, data=jpeg, content_type="image/jpeg").get_json()
    assert answer["mock"] is True
    assert client.get("/health").get_json()["mock"] is True


def test_health_answers_before_and_while_loading(make_client: MakeClient, fake_loader: Any) -> None:
    go = threading.Event()
    client = make_client(fake_loader(wait=lambda: go.wait(30)), load=False)
    live = client.get("/health")
    assert live.status_code == 200
    assert live.get_json()["ml"] == {"available": True, "state": "starting", "reason": None}
    assert client.get("/health/ready").status_code == 503
    refused = client.post(ANALYZE, json=CAPABILITY)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (503, "not_ready")
    assert int(refused.headers["Retry-After"]) > 0
    go.set()


def test_readiness_counts_workers(client: FlaskClient) -> None:
    response = client.get("/health/ready")
    assert response.status_code == 200
    answer = response.get_json()
    threads = answer.pop("threads")
    assert answer == {"status": "ready", "workers": {"ready": 1, "expected": 1}, "index": None}
    assert threads["computing"] == threads["workers"] * threads["analyses_per_worker"] * threads["intra_op"]
    assert threads["oversubscribed"] == (threads["computing"] > threads["cores"])


def test_a_switched_off_service_says_so(make_client: MakeClient) -> None:
    client = make_client(load=False, ml_available=False)
    assert client.get("/health").get_json()["ml"] == {
        "available": False,
        "state": "disabled",
        "reason": "ML_AVAILABLE is false",
    }
    response = client.post(ANALYZE, json=CAPABILITY)
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "unavailable")
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("address", [ANALYZE, f"{ANALYZE}/", *(f"{ANALYZE}/{name}" for name in sorted(PROFILES))])
def test_one_log_line_an_analysis_without_anything_of_the_photo(
    client: FlaskClient, jpeg: bytes, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    with caplog.at_level(logging.INFO):
        client.post(
            f"{address}?secret=1",
            data={"image": (io.BytesIO(jpeg), "my-face.jpg"), "age": "77.03125"},
            headers={"X-Request-ID": "r1"},
        )
    (line,) = events(caplog, "analysis")
    assert line["status"] == 200
    assert line["models"] == {"mock": "0"}
    assert line["index"]["name"] == "mock"
    assert {"queue", "decode", "analysis", "total"} <= set(line["timings_ms"])
    text = json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert all(word not in text for word in ("my-face", "secret", "77.03125", base64.b64encode(jpeg).decode()[:40]))


def test_a_refused_photo_is_logged_with_its_code(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        client.post(ANALYZE, data=b"hello", content_type="image/jpeg")
    (line,) = events(caplog, "analysis")
    assert (line["status"], line["code"]) == (415, "unsupported_image")


def test_a_full_service_sheds_at_once(
    make_client: MakeClient, fake_loader: Any, jpeg: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    inside, go = threading.Event(), threading.Event()
    canned = fake_loader().analyze

    def slow(case: Any, deadline: Any) -> values.Analysis:
        inside.set()
        go.wait(30)
        return canned(case, deadline)

    client = make_client(fake_loader(analyze=slow), gunicorn_threads=3)
    answers = []

    def post() -> None:
        answers.append(client.application.test_client().post(ANALYZE, data=jpeg, content_type="image/jpeg").status_code)

    first = threading.Thread(target=post)
    first.start()
    assert inside.wait(30)
    with caplog.at_level(logging.INFO):
        shed = client.post(ANALYZE, data=jpeg, content_type="image/jpeg")
    assert client.get("/health").status_code == 200
    go.set()
    first.join(30)
    assert answers == [200]
    assert (shed.status_code, shed.get_json()["error"]["code"]) == (503, "busy")
    assert int(shed.headers["Retry-After"]) >= 1
    assert [line["status"] for line in events(caplog, "shed")] == [503]


@pytest.mark.parametrize("ask", SELF_TESTS)
def test_a_self_test_is_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture, ask: dict[str, Any]) -> None:
    with caplog.at_level(logging.INFO):
        client.post(**ask)
    assert [line["status"] for line in events(caplog, "capability")] == [200]
    assert not events(caplog, "analysis")


@pytest.mark.parametrize("ask", SELF_TESTS)
def test_a_second_capability_test_is_shed(make_client: MakeClient, ask: dict[str, Any]) -> None:
    client = make_client()
    with client.application.extensions["dermserve"].capability_slot.enter():
        response = client.post(**ask)
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "busy")


def test_no_capability_test_runs_while_photos_wait(make_client: MakeClient) -> None:
    client = make_client()
    gate = client.application.extensions["dermserve"].gate = Gate(admitted=8, running=1)

    def take_a_turn() -> None:
        with gate.run(Deadline(30)):
            pass

    waiting = threading.Thread(target=take_a_turn)
    with gate.run(Deadline(30)):
        waiting.start()
        wait_until(lambda: gate.waiting == 1, limit_s=30)
        response = client.post(ANALYZE, json=CAPABILITY)
    waiting.join(30)
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "busy")


def test_a_trailing_slash_does_not_lose_a_photo(client: FlaskClient, jpeg: bytes) -> None:
    assert client.post(f"{ANALYZE}/", data=jpeg, content_type="image/jpeg").status_code == 200


def test_the_page_is_self_contained_under_a_strict_policy(client: FlaskClient) -> None:
    response = client.get("/")
    policy = response.headers["Content-Security-Policy"]
    assert response.status_code == 200
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in response.text.split("</head>")[0]
    assert "not a medical device" in response.text
    for name in ("page.css", "page.js"):
        asset = client.get(f"/assets/{name}")
        assert asset.status_code == 200
        asset.close()


def test_an_explanation_is_made_where_it_is_asked_for(
    make_client: MakeClient, fake_loader: type[Any], jpeg: bytes
) -> None:
    asked: list[bool] = []

    def analyze(request: Any, deadline: Deadline) -> Analysis:
        asked.append(request.explain)
        return MockAnalyzer().analyze(request, deadline)

    client = make_client(fake_loader(analyze=analyze))
    for query in ({}, {"explain": "true"}, {"explain": "0"}):
        assert client.post(ANALYZE, query_string=query, data=jpeg, content_type="image/jpeg").status_code == 200
    assert asked == [False, True, False]


@pytest.mark.parametrize("place", ["query", "form", "json"])
def test_the_raw_output_comes_with_full_detail_wherever_that_is_asked(
    make_client: MakeClient, fake_loader: type[Any], jpeg: bytes, place: str
) -> None:
    client = make_client(fake_loader(analyze=MockAnalyzer().analyze))
    photo = {"image": base64.b64encode(jpeg).decode()}
    forms: dict[str, dict[str, Any]] = {
        "query": {"query_string": {"detail": "full"}, "data": jpeg, "content_type": "image/jpeg"},
        "form": {"data": {"image": (io.BytesIO(jpeg), "p"), "detail": "full"}},
        "json": {"json": photo | {"detail": "full"}},
    }
    lesion = client.post(ANALYZE, **forms[place]).get_json()["lesion"]
    assert len(lesion["raw_predictions"]) == len(lesion["predictions"])
    assert client.post(ANALYZE, json=photo).get_json()["lesion"].get("raw_predictions") is None


def test_each_detail_asks_for_what_it_gives(make_client: MakeClient, fake_loader: type[Any], jpeg: bytes) -> None:
    asked: list[tuple[bool, bool]] = []

    def analyze(request: Any, deadline: Deadline) -> Analysis:
        asked.append((request.full, request.thorough))
        return MockAnalyzer().analyze(request, deadline)

    client = make_client(fake_loader(analyze=analyze))
    raw = []
    for detail in ("standard", "full", "thorough"):
        answer = client.post(ANALYZE, query_string={"detail": detail}, data=jpeg, content_type="image/jpeg").get_json()
        raw.append("raw_predictions" in answer["lesion"])
    assert asked == [(False, False), (True, False), (True, True)]
    assert raw == [False, True, True]


def test_one_photo_at_a_time_is_explained(make_client: MakeClient, fake_loader: type[Any], jpeg: bytes) -> None:
    statuses: list[int] = []

    def analyze(request: Any, deadline: Deadline) -> Analysis:
        if request.explain and not statuses:
            for query in ({"explain": "true"}, {}):
                inner = client.post(ANALYZE, query_string=query, data=jpeg, content_type="image/jpeg")
                statuses.append(inner.status_code)
        return MockAnalyzer().analyze(request, deadline)

    client = make_client(fake_loader(analyze=analyze), max_workers=4)
    response = client.post(ANALYZE, query_string={"explain": "true"}, data=jpeg, content_type="image/jpeg")
    assert (response.status_code, statuses) == (200, [503, 200])

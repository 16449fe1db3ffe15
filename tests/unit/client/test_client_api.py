"""What the clients send, and how they read what comes back. Each test runs with both clients."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import get_type_hints

import pytest
from dermserve import AsyncClient, Client, RefusedError, UnavailableError, UnknownAnswerError, UnreachableError
from dermserve.calls import AnalysisFields, ComparisonFields

from tests.unit.client.conftest import Ask
from tests.unit.client.scripted_service import ANSWER, SUMMARY, Script, refusal
from web.requests import AnalyzeRequest, CompareRequest


def test_photos_and_fields_arrive_and_the_files_name_does_not(ask: Ask, service: Script, tmp_path: Path) -> None:
    photo = tmp_path / "private-name.jpg"
    photo.write_bytes(b"first photo")
    photos = [photo, b"second photo", io.BytesIO(b"third photo")]
    answer = ask(service.url + "/", "analyze", photos, age=54, sex=None, explain=True, white_point=(180, 178, 173))
    assert answer.raw == ANSWER
    assert service.paths == ["/api/analyze/skin"]
    ((headers, body),) = service.asked
    assert headers["Content-Type"].startswith("multipart/form-data")
    assert body.count(b'name="image"') == 3
    for sent in (b"first photo", b"second photo", b"third photo"):
        assert sent in body
    for name, value in {"age": "54", "explain": "true", "white_point": "180,178,173"}.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in body
    assert b"sex" not in body
    assert b"private-name" not in body


@pytest.mark.parametrize("form", ["path", "text", "bytes", "file"])
def test_one_photo_needs_no_list(ask: Ask, service: Script, tmp_path: Path, form: str) -> None:
    path = tmp_path / "skin.jpg"
    path.write_bytes(b"the photo")
    with path.open("rb") as file:
        photo = {"path": path, "text": str(path), "bytes": b"the photo", "file": file}[form]
        ask(service.url, "analyze", photo)
    assert service.asked[0][1].count(b"the photo") == 1


def test_a_file_that_is_not_there_is_an_error_of_the_file(ask: Ask, service: Script, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(service.url, "analyze", tmp_path / "nothing.jpg")
    assert service.asked == []


def test_a_photo_is_sent_anew_with_each_try(ask: Ask, service: Script) -> None:
    busy = refusal(503, "busy", "The service is full.", Retry_After="0")
    service.answers = [busy, busy, (200, {}, ANSWER)]
    assert ask(service.url, "analyze", io.BytesIO(b"a file's bytes")).raw == ANSWER
    assert [body.count(b"a file's bytes") for _, body in service.asked] == [1, 1, 1]


def test_key_language_and_time_limit_are_sent_where_there_are_any(ask: Ask, service: Script) -> None:
    ask(service.url, "analyze", b"x", options={"key": "k" * 16, "language": "es", "timeout_s": 2.5})
    ask(service.url, "analyze", b"x")
    stated, silent = (headers for headers, _ in service.asked)
    assert stated["X-API-Key"] == "k" * 16
    assert stated["Accept-Language"] == "es"
    assert stated["X-Request-Timeout"] == "2.5"
    assert stated["User-Agent"].startswith("dermserve/")
    assert not {"X-API-Key", "Accept-Language", "X-Request-Timeout"} & silent.keys()


def test_an_answer_is_read_by_its_fields(ask: Ask, service: Script) -> None:
    answer = ask(service.url, "analyze", b"x")
    assert answer.summary.headline == ANSWER["summary"]["headline"]
    assert answer.summary.findings[0].certainty == "likely"
    assert answer.skin.measurements[0].value == 1.25
    assert answer.skin.measurements[1].value is None
    assert answer.lesion.predictions[1].name == "Melanoma"


def test_what_an_answer_leaves_out_is_none(ask: Ask, service: Script) -> None:
    service.answers = [(200, {}, SUMMARY)]
    answer = ask(service.url, "analyze", b"x", detail="summary")
    assert answer.summary.headline == SUMMARY["summary"]["headline"]
    assert answer.skin is None
    assert answer.similar_cases is None
    assert answer.decision.group is None
    assert answer.raw == SUMMARY


def test_the_answer_of_a_newer_service_is_read(ask: Ask, service: Script) -> None:
    """Fields that this client does not know are kept, and other words than it knows are accepted."""
    summary = ANSWER["summary"] | {"certainty": "almost_clear", "tone_of_voice": "calm"}
    service.answers = [(200, {}, ANSWER | {"summary": summary, "new": {"field": [1]}, "language": "fr"})]
    answer = ask(service.url, "analyze", b"x")
    assert answer.summary.certainty == "almost_clear"
    assert answer.summary.model_extra == {"tone_of_voice": "calm"}
    assert answer.new == {"field": [1]}
    assert answer.language == "fr"


def test_an_answer_of_another_form_says_which_client_reads_it(ask: Ask, service: Script) -> None:
    service.answers = [(200, {"X-Request-ID": "r7"}, ANSWER | {"summary": "A sentence."})]
    with pytest.raises(UnknownAnswerError, match=r"summary: .*Install the client that belongs") as caught:
        ask(service.url, "analyze", b"x")
    assert caught.value.body["summary"] == "A sentence."
    assert caught.value.request_id == "r7"


def test_two_photos_are_compared(ask: Ask, service: Script) -> None:
    service.answers = [refusal(422, "damaged_image", "Damaged.")]
    with pytest.raises(RefusedError):
        ask(service.url, "compare", b"january", b"march", before_date=date(2026, 1, 10), confirmed=True)
    assert service.paths == ["/api/compare/skin"]
    ((_, body),) = service.asked
    before, after = body.index(b'name="before"'), body.index(b'name="after"')
    assert before < body.index(b"january") < after < body.index(b"march")
    for name, value in {"before_date": "2026-01-10", "confirmed": "true"}.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in body


def test_an_error_has_code_details_and_the_requests_id(ask: Ask, service: Script) -> None:
    status, headers, body = refusal(422, "impossible_value", "age must be from 0 to 120.")
    body["error"]["details"] = {"field": "age"}
    service.answers = [(status, headers, body)]
    with pytest.raises(RefusedError, match="age must be") as caught:
        ask(service.url, "analyze", b"x", age=300)
    error = caught.value
    assert (error.status, error.code, error.details, error.request_id) == (
        422,
        "impossible_value",
        {"field": "age"},
        "r1",
    )
    assert error.body == body


def test_a_refused_key_says_where_to_put_one(ask: Ask, service: Script) -> None:
    service.answers = [refusal(401, "key_required", "This service needs a key.")]
    with pytest.raises(RefusedError, match="DERMSERVE_KEY"):
        ask(service.url, "analyze", b"x")


@pytest.mark.parametrize("url", ["no address", "ftp://127.0.0.1", "localhost:8000"])
def test_what_is_no_address(ask: Ask, url: str) -> None:
    with pytest.raises(UnreachableError, match="Check the address; it begins with http"):
        ask(url, "analyze", b"x")


@pytest.mark.parametrize("status", [200, 201, 404, 405])
@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1]", b"{}"])
def test_another_server_at_the_address(ask: Ask, service: Script, body: bytes, status: int) -> None:
    service.answers = [(status, {}, body)]
    with pytest.raises(UnreachableError, match="not DermServe") as caught:
        ask(service.url, "analyze", b"x")
    assert caught.value.status == status


def test_an_address_that_redirects_names_the_other_one(ask: Ask, service: Script) -> None:
    """A photo is sent only where the user says."""
    service.answers = [(301, {"Location": "https://skin.example/api/analyze/skin"}, b"")]
    with pytest.raises(UnreachableError, match=r"redirects to https://skin\.example"):
        ask(service.url, "analyze", b"x")


def test_a_proxys_refusal_without_json(ask: Ask, service: Script) -> None:
    service.answers = [(413, {}, b"<html>too large</html>")]
    with pytest.raises(RefusedError, match="The service answered 413 Request Entity Too Large"):
        ask(service.url, "analyze", b"x")


def test_a_broken_part_in_the_selftest_is_an_answer(ask: Ask, service: Script) -> None:
    part = {"name": "faces", "ok": False, "version": None, "model": None, "ms": 1.0, "reason": "broken"}
    service.answers = [(503, {}, {"success": False, "parts": [part]})]
    answer = ask(service.url, "selftest")
    assert (answer.success, answer.parts[0].reason) == (False, "broken")


def test_the_selftest_of_a_full_service_is_an_error(ask: Ask, service: Script) -> None:
    service.answers = [refusal(503, "busy", "Photos are waiting.")]
    with pytest.raises(UnavailableError, match="Photos are waiting"):
        ask(service.url, "selftest")


def test_the_connection_stays_open_between_calls(service: Script) -> None:
    with Client(service.url) as client:
        for _ in range(3):
            client.analyze(b"x")
    assert service.connections == 1


def test_the_fields_are_those_of_the_api() -> None:
    """``profile`` asks for another form of the answer."""
    assert get_type_hints(AnalysisFields).keys() == AnalyzeRequest.model_fields.keys() - {"images", "profile"}
    assert get_type_hints(ComparisonFields).keys() == CompareRequest.model_fields.keys() - {"before", "after"}


def test_both_clients_have_the_same_methods() -> None:
    def names(client: type) -> set[str]:
        return {name for name in vars(client) if not name.startswith("_")}

    assert names(AsyncClient) - {"aclose"} == names(Client) - {"close"}

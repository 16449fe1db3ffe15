"""Requests of the client: when it waits, sends again and gives up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from client import Client, ClientError, RefusedError, UnavailableError, UnreachableError
from tests.tools import free_port
from tests.unit.client.scripted_service import ANSWER, Script, refusal

BUSY = refusal(503, "busy", "The service is full.", Retry_After="7")


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What the retry policy, and nothing else, takes for the time."""
    made = Clock()
    monkeypatch.setattr("tenacity.time", SimpleNamespace(monotonic=made))
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=made.wait))
    return made


def patient(service: Script, seconds: float = 60) -> Client:
    return Client(service.url + "/", patience_s=seconds)


def test_photos_and_fields_arrive_and_the_files_name_does_not(service: Script, tmp_path: Path) -> None:
    photo = tmp_path / "private-name.jpg"
    photo.write_bytes(b"first photo")
    answer = Client(service.url).analyze([photo, b"second photo"], age=54, sex=None, explain=True)
    assert answer == ANSWER
    ((headers, body),) = service.asked
    assert headers["Content-Type"].startswith("multipart/form-data")
    assert body.count(b'name="image"') == 2
    assert b"first photo" in body
    assert b"second photo" in body
    assert b'name="age"\r\n\r\n54\r\n' in body
    assert b'name="explain"\r\n\r\ntrue\r\n' in body
    assert b"sex" not in body
    assert b"private-name" not in body


def test_a_key_is_sent_when_there_is_one(service: Script) -> None:
    Client(service.url, key="k" * 16).analyze(b"x")
    Client(service.url).analyze(b"x")
    assert service.asked[0][0]["X-API-Key"] == "k" * 16
    assert "X-API-Key" not in service.asked[1][0]


def test_it_waits_as_long_as_a_full_service_asks_for(service: Script, clock: Clock) -> None:
    service.answers = [BUSY, BUSY, (200, {}, ANSWER)]
    assert patient(service).analyze(b"x") == ANSWER
    assert clock.waits == [7, 7]
    assert service.asked[2][1].count(b"view-1") == 1  # the photo is sent anew each time


def test_it_gives_up_when_the_wait_would_be_longer_than_its_patience(service: Script, clock: Clock) -> None:
    service.answers = [BUSY]
    with pytest.raises(UnavailableError) as caught:
        patient(service, seconds=20).analyze(b"x")
    assert clock.waits == [7, 7]
    assert (caught.value.status, caught.value.code) == (503, "busy")
    assert (
        caught.value.message
        == "The service is full. The service asks to wait 7 s, which is longer than this client waits."
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(503, "unavailable", "Analyses are switched off."), UnavailableError),
        (refusal(504, "deadline_exceeded", "Out of time."), UnavailableError),
        (refusal(500, "internal_error", "Our fault."), UnavailableError),
        (refusal(422, "damaged_image", "The image is damaged."), RefusedError),
        (refusal(415, "unsupported_image", "Not an image."), RefusedError),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(
    service: Script, clock: Clock, answer: tuple[int, dict[str, str], object], kind: type[ClientError]
) -> None:
    service.answers = [answer]
    with pytest.raises(kind) as caught:
        patient(service).analyze(b"x")
    assert clock.waits == []
    assert len(service.asked) == 1
    assert caught.value.message == answer[2]["error"]["message"]  # type: ignore[index]
    assert caught.value.body == answer[2]


def test_a_proxy_without_a_service_behind_it_is_asked_again(service: Script, clock: Clock) -> None:
    service.answers = [(502, {}, b"<html>Bad Gateway</html>"), (502, {}, b""), (200, {}, ANSWER)]
    assert patient(service).analyze(b"x") == ANSWER
    assert clock.waits == [0.5, 1.0]


def test_a_refused_key_says_where_to_put_one(service: Script) -> None:
    service.answers = [refusal(401, "key_required", "This service needs a key.")]
    with pytest.raises(RefusedError, match="DERMSERVE_KEY"):
        Client(service.url).analyze(b"x")


def test_nobody_at_the_address(clock: Clock) -> None:
    with pytest.raises(UnreachableError, match="Nothing answers at"):
        Client(f"http://127.0.0.1:{free_port()}", patience_s=4).analyze(b"x")
    assert clock.waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("url", ["no address", "ftp://127.0.0.1"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UnreachableError, match="Check the address"):
        Client(url).analyze(b"x")


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1]", b"{}"])
def test_another_service_at_the_address(service: Script, body: bytes) -> None:
    service.answers = [(200, {}, body)]
    with pytest.raises(UnreachableError, match="not DermServe"):
        Client(service.url).analyze(b"x")


@pytest.mark.parametrize(
    ("value", "waits"),
    [("3", [3]), (" 3 ", [3]), ("0", [0]), ("Wed, 31 Dec 2025 00:00:00 GMT", [0]), ("soon", None), ("", None)],
)
def test_every_form_of_retry_after(service: Script, clock: Clock, value: str, waits: list[float] | None) -> None:
    service.answers = [refusal(503, "busy", "The service is full.", Retry_After=value), (200, {}, ANSWER)]
    if waits is None:
        with pytest.raises(UnavailableError, match="full"):
            patient(service).analyze(b"x")
    else:
        assert patient(service).analyze(b"x") == ANSWER
    assert clock.waits == (waits or [])


def test_a_retry_after_that_is_a_date_is_waited_for(service: Script, clock: Clock) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    service.answers = [refusal(429, "rate_limited", "Too many.", Retry_After=until), (200, {}, ANSWER)]
    assert patient(service).analyze(b"x") == ANSWER
    assert 20 < clock.waits[0] <= 30


def test_a_service_that_always_asks_for_no_wait_is_given_up_on(service: Script, clock: Clock) -> None:
    service.answers = [refusal(503, "busy", "The service is full.", Retry_After="0")]
    with pytest.raises(UnavailableError, match="full"):
        patient(service, seconds=0).analyze(b"x")
    assert len(service.asked) == 1


def test_pauses_between_tries_grow_to_ten_seconds(clock: Clock) -> None:
    with pytest.raises(UnreachableError):
        Client(f"http://127.0.0.1:{free_port()}", patience_s=40).analyze(b"x")
    assert clock.waits == [0.5, 1, 2, 4, 8, 10, 10]

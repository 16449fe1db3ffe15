"""When the clients wait, send again and give up. The server is a real one; the time is not."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from dermserve import ClientError, RefusedError, UnavailableError, UnreachableError

from tests.tools import free_port
from tests.unit.client.conftest import Ask, Clock
from tests.unit.client.scripted_service import ANSWER, BROKEN, Script, refusal

BUSY = refusal(503, "busy", "The service is full.", Retry_After="7")
ANSWERED = (200, {}, ANSWER)


def patient(seconds: float = 60) -> dict[str, float]:
    return {"patience_s": seconds}


def test_it_waits_as_long_as_a_full_service_asks_for(ask: Ask, service: Script, clock: Clock) -> None:
    service.answers = [BUSY, BUSY, ANSWERED]
    assert ask(service.url, "analyze", b"x", options=patient()).raw == ANSWER
    assert clock.waits == [7, 7]


def test_it_gives_up_when_the_wait_would_be_longer_than_its_patience(ask: Ask, service: Script, clock: Clock) -> None:
    service.answers = [BUSY]
    with pytest.raises(UnavailableError) as caught:
        ask(service.url, "analyze", b"x", options=patient(20))
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
def test_an_error_that_waiting_does_not_change_is_raised_at_once(
    ask: Ask, service: Script, clock: Clock, answer: tuple[int, dict[str, str], object], kind: type[ClientError]
) -> None:
    service.answers = [answer]
    with pytest.raises(kind) as caught:
        ask(service.url, "analyze", b"x", options=patient())
    assert clock.waits == []
    assert len(service.asked) == 1
    assert caught.value.message == answer[2]["error"]["message"]  # type: ignore[index]
    assert caught.value.body == answer[2]


@pytest.mark.parametrize("status", [502, 503])
def test_a_proxy_without_a_service_behind_it_is_asked_again(
    ask: Ask, service: Script, clock: Clock, status: int
) -> None:
    service.answers = [(status, {}, b"<html>no service</html>"), (status, {}, b""), ANSWERED]
    assert ask(service.url, "analyze", b"x", options=patient()).raw == ANSWER
    assert clock.waits == [0.5, 1.0]


def test_a_connection_that_breaks_is_made_again(ask: Ask, service: Script, clock: Clock) -> None:
    service.answers = [(BROKEN, {}, b""), ANSWERED]
    assert ask(service.url, "analyze", b"x", options=patient()).raw == ANSWER
    assert clock.waits == [0.5]


def test_nobody_at_the_address(ask: Ask, clock: Clock) -> None:
    with pytest.raises(UnreachableError, match="Nothing answers at"):
        ask(f"http://127.0.0.1:{free_port()}", "analyze", b"x", options=patient(4))
    assert clock.waits == [0.5, 1.0, 2.0]


def test_an_unknown_host_is_not_waited_for(ask: Ask, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(UnreachableError, match=r"not known.*Check the address"):
        ask("http://skin.example", "analyze", b"x", options=patient())
    assert clock.waits == []


def test_tls_with_a_server_that_has_none_is_not_waited_for(ask: Ask, service: Script, clock: Clock) -> None:
    with pytest.raises(UnreachableError, match=r"SSL.*Check the address"):
        ask(service.url.replace("http://", "https://"), "analyze", b"x", options=patient())
    assert clock.waits == []


def test_pauses_between_tries_grow_to_ten_seconds(ask: Ask, clock: Clock) -> None:
    with pytest.raises(UnreachableError):
        ask(f"http://127.0.0.1:{free_port()}", "analyze", b"x", options=patient(40))
    assert clock.waits == [0.5, 1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize(("value", "wait"), [("3", 3), (" 3 ", 3), ("0", 0), ("Wed, 31 Dec 2025 00:00:00 GMT", 0)])
def test_every_form_of_retry_after(ask: Ask, service: Script, clock: Clock, value: str, wait: float) -> None:
    full = [refusal(status, "busy", "The service is full.", Retry_After=value) for status in (429, 503)]
    service.answers = [*full, ANSWERED]
    assert ask(service.url, "analyze", b"x", options=patient()).raw == ANSWER
    assert clock.waits == [wait, wait]


@pytest.mark.parametrize("value", ["soon", "-1", ""])
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_without_meaning_is_not_waited_for(
    ask: Ask, service: Script, clock: Clock, status: int, value: str
) -> None:
    service.answers = [refusal(status, "busy", "The service is full.", Retry_After=value), ANSWERED]
    with pytest.raises(UnavailableError, match="full"):
        ask(service.url, "analyze", b"x", options=patient())
    assert clock.waits == []


def test_a_retry_after_that_is_a_date_is_waited_for(ask: Ask, service: Script, clock: Clock) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    service.answers = [refusal(429, "rate_limited", "Too many.", Retry_After=until), ANSWERED]
    assert ask(service.url, "analyze", b"x", options=patient()).raw == ANSWER
    assert 20 < clock.waits[0] <= 30


def test_a_service_that_always_asks_for_no_wait_is_given_up_on(ask: Ask, service: Script, clock: Clock) -> None:
    service.answers = [refusal(503, "busy", "The service is full.", Retry_After="0")]
    with pytest.raises(UnavailableError, match="full"):
        ask(service.url, "analyze", b"x", options=patient(0))
    assert len(service.asked) == 1


def test_ready_waits_for_a_service_that_is_loading(ask: Ask, service: Script, clock: Clock) -> None:
    loading = refusal(503, "not_ready", "This instance cannot analyse yet.", Retry_After="5")
    ready = {"status": "ready", "workers": {"ready": 1, "expected": 1}, "threads": {}, "index": None}
    service.answers = [loading, loading, (200, {}, ready)]
    assert ask(service.url, "ready", options=patient()).status == "ready"
    assert clock.waits == [5, 5]
